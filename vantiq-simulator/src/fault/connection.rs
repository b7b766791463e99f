//! [`Connection`]: the task of one client that came through the proxy.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::cut::{CutKind, CutRecord};
use super::line::{Direction, Lines};
use super::proxy::State;
use super::pump::Pump;

/// Patience with who does not close after a FIN.
const CLOSING: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Connection {
    /// From 1.
    pub(super) number: u64,
    pub(super) client: TcpStream,
    pub(super) server: TcpStream,
    pub(super) cuts_rx: mpsc::UnboundedReceiver<CutKind>,
    pub(super) pumps: Pumps,
}

/// Both directions.
#[derive(Debug)]
pub(super) struct Pumps {
    to_server: Pump,
    to_client: Pump,
}

/// Why forwarding is over.
enum End {
    Finished,
    Reset,
    Cut(CutKind),
}

impl Connection {
    /// Forwards until both streams have ended, one side resets, or the connection is cut.
    pub(super) async fn run(mut self, state_tx: &watch::Sender<State>) {
        let end = self.forward().await;
        let record = match end {
            End::Finished => None,
            End::Reset => {
                self.reset();
                None
            }
            End::Cut(kind) => Some(self.cut(kind).await),
        };
        let (number, was_fin) = (self.number, matches!(end, End::Cut(kind) if !kind.resets()));
        if was_fin {
            state_tx.send_modify(|state| state.ended(number, record));
            self.drain().await;
        } else {
            // After the sockets, so that whoever waits for the end of the connection finds it ended.
            drop(self);
            state_tx.send_modify(|state| state.ended(number, record));
        }
    }

    async fn forward(&mut self) -> End {
        let Self { client, server, pumps: Pumps { to_server, to_client }, cuts_rx, .. } = self;
        let (from_client, for_client) = client.split();
        let (from_server, for_server) = server.split();
        let forward = async {
            tokio::try_join!(to_server.run(from_client, for_server), to_client.run(from_server, for_client))
        };
        // Cancel-safe: the pumps keep what they have read.
        let end = tokio::select! {
            biased;
            Some(kind) = cuts_rx.recv() => End::Cut(kind),
            forwarded = forward => forwarded.map_or(End::Reset, |_| End::Finished),
        };
        match end {
            End::Finished if to_server.is_stuck || to_client.is_stuck => End::Reset,
            end => end,
        }
    }

    async fn cut(&mut self, kind: CutKind) -> CutRecord {
        let Self { client, server, pumps: Pumps { to_server, to_client }, .. } = self;
        if kind.is_mid_frame() {
            bytes_to_tear(client, server, to_server, to_client).await;
            to_server.forward_part(server);
            to_client.forward_part(client);
        } else if kind == CutKind::Fin {
            to_server.forward_all(server);
            to_client.forward_all(client);
        }
        let record = CutRecord {
            at: Instant::now(),
            kind,
            connection: self.number,
            to_server: to_server.forwarded,
            to_client: to_client.forwarded,
            lost: to_server.lose() + to_client.lose(),
        };
        debug!(?record, "cut");
        if kind.resets() {
            self.reset();
        } else {
            self.shutdown().await;
        }
        record
    }

    /// Makes the sockets end with a TCP RST when they are dropped.
    fn reset(&self) {
        for socket in [&self.client, &self.server] {
            // Without the option, which no loopback socket refuses, the end is a FIN.
            let _ = socket.set_zero_linger();
        }
    }

    async fn shutdown(&mut self) {
        for socket in [&mut self.client, &mut self.server] {
            let _ = socket.shutdown().await; // who is gone does not miss it
        }
    }

    /// Reads on after a FIN: dropping a socket with something unread in it is a reset.
    async fn drain(&mut self) {
        let (mut nowhere, mut nowhere_else) = (sink(), sink());
        let drain = async {
            tokio::join!(copy(&mut self.client, &mut nowhere), copy(&mut self.server, &mut nowhere_else))
        };
        let _ = timeout(CLOSING, drain).await;
    }
}

impl Pumps {
    /// The pumps of the connection of this number, whose choices follow from the seed.
    pub(super) fn new(number: u64, seed: u64, lines_rx: &watch::Receiver<Lines>) -> Self {
        let pump = |direction, stream| {
            let rng = StdRng::seed_from_u64(seed.wrapping_add(number * 2 + stream));
            Pump::new(direction, lines_rx.clone(), rng)
        };
        Self { to_server: pump(Direction::ToServer, 0), to_client: pump(Direction::ToClient, 1) }
    }
}

/// Waits until there is something to forward a part of, or can be nothing any more.
async fn bytes_to_tear(client: &TcpStream, server: &TcpStream, to_server: &mut Pump, to_client: &mut Pump) {
    loop {
        let pending = to_server.pending(client) + to_client.pending(server);
        let (to_server_over, to_client_over) = (to_server.is_over(), to_client.is_over());
        if pending > 0 || to_server_over && to_client_over {
            return;
        }
        // Cancel-safe: nothing is read here. A socket in error is readable, and found out above.
        tokio::select! {
            _ = client.readable(), if !to_server_over => {}
            _ = server.readable(), if !to_client_over => {}
        }
    }
}
