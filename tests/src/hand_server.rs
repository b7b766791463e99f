//! A server of which the test writes every frame, for what the simulator would never do.

use serde_json::json;
use tokio::net::TcpListener;
use vantiq_connector::{ConnectorError, ConnectorSetBuilder, ServerConfigBuilder};

use crate::{Connector, Peer, config_at, within};

/// A server of which the test writes every frame: each link is a [`Peer`]. It does the handshake, and knows
/// one source, `a`.
#[derive(Debug)]
pub struct HandServer(TcpListener);

impl HandServer {
    /// Listens on a port of the system's choice.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port"))
    }

    /// Settings for the source `a` of this server.
    ///
    /// # Panics
    /// Never: it listens.
    pub fn config(&self) -> ServerConfigBuilder {
        let address = self.0.local_addr().expect("it listens");
        config_at(&format!("http://{address}"), "token", &["a"])
    }

    /// Runs `set` for the source `a` of this server.
    ///
    /// # Panics
    /// If the handlers do not fit.
    #[must_use]
    pub fn connector(&self, set: ConnectorSetBuilder) -> Connector {
        Connector::start_with(set, self.config())
    }

    /// The next link, when its `connectExtension` has come and waits for an answer.
    ///
    /// # Panics
    /// If something else comes first.
    pub async fn attaching(&self) -> Peer {
        let (connection, _) = within(self.0.accept()).await.expect("it listens");
        Peer::attaching(connection).await
    }

    /// The next link, when it has its configuration, `{}`.
    ///
    /// # Panics
    /// If something else comes before it.
    pub async fn attached(&self) -> Peer {
        let mut peer = self.attaching().await;
        peer.configure(json!({})).await;
        peer
    }

    /// Ends the link without a word, listens no longer, and stops the connector, which has nobody to wait for.
    /// What was not acknowledged by then is abandoned.
    ///
    /// # Panics
    /// If the connector ends with another error.
    pub async fn hang_up(self, peer: Peer, connector: Connector) {
        drop((peer, self));
        match connector.stop().await {
            Ok(()) | Err(ConnectorError::Abandoned(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}
