//! A server in memory, for whole paths under a paused clock.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{DuplexStream, duplex},
    sync::{Mutex, mpsc},
};
use vantiq_connector::ConnectorSetBuilder;

use crate::{Connector, Peer, Wire, config_at, wire::Faults, within};

/// Bytes that each direction of a connection holds before its sender has to wait.
const BUFFER: usize = 64 * 1024;

/// A server in memory of which the test writes every frame: each link is a [`Peer`]. No socket is involved, so a
/// paused clock jumps over all waiting. What happens on its connections is decided by its [`Faults`].
#[derive(Debug)]
pub struct MemoryServer {
    entrance: Entrance,
    connections: Mutex<mpsc::UnboundedReceiver<Wire>>,
}

/// The way to a [`MemoryServer`].
#[derive(Debug, Clone)]
pub struct Entrance {
    connections_tx: mpsc::UnboundedSender<Wire>,
    away: Arc<AtomicBool>,
    faults: Arc<Faults>,
}

impl Entrance {
    /// Opens a connection.
    ///
    /// # Errors
    /// While the server is away, or gone for good.
    pub fn dial(&self) -> io::Result<DuplexStream> {
        if self.away.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (connectors, servers) = duplex(BUFFER);
        let wire = Wire::new(servers, Arc::clone(&self.faults));
        self.connections_tx.send(wire).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(connectors)
    }
}

impl Default for MemoryServer {
    fn default() -> Self {
        let (connections_tx, connections) = mpsc::unbounded_channel();
        let entrance = Entrance { connections_tx, away: Arc::default(), faults: Arc::default() };
        Self { entrance, connections: Mutex::new(connections) }
    }
}

impl MemoryServer {
    /// The way to it, for a test with a dial of its own.
    #[must_use]
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Lets `set` dial this server.
    #[must_use]
    pub fn dialled_by(&self, set: ConnectorSetBuilder) -> ConnectorSetBuilder {
        let entrance = self.entrance();
        set.dial_with(move |_, _| std::future::ready(entrance.dial()))
    }

    /// Runs `set` for `sources` of this server.
    #[must_use]
    pub fn connector(&self, set: ConnectorSetBuilder, sources: &[&str]) -> Connector {
        Connector::start_with(self.dialled_by(set), config_at("http://in-memory", "token", sources))
    }

    /// Refuses connections from now on, or no longer. Those that are open stay.
    pub fn set_away(&self, away: bool) {
        self.entrance.away.store(away, Ordering::Relaxed);
    }

    /// What its connections suffer, those to come included.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.entrance.faults
    }

    /// The next connection; the test says how long to wait.
    ///
    /// # Panics
    /// Never: the server holds an entrance of its own.
    pub async fn accept(&self) -> Wire {
        self.connections.lock().await.recv().await.expect("the server holds an entrance")
    }

    /// The next link, when it has its configuration, `{}`.
    pub async fn attached(&self) -> Peer<Wire> {
        let mut peer = Peer::attaching(within(self.accept()).await).await;
        peer.configure(serde_json::json!({})).await;
        peer
    }
}
