//! A connector set that runs beside the test.

use tokio::task::JoinHandle;
use vantiq_connector::{
    CancellationToken, ConnectorError, ConnectorSetBuilder, ConnectorSetHandle, ServerConfig,
    ServerConfigBuilder, Source, SourceState,
};
use vantiq_simulator::Simulator;

use crate::within;

/// A connector set that runs beside the test, through the public API.
#[derive(Debug)]
pub struct Connector {
    /// The set's handle.
    pub set: ConnectorSetHandle,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ConnectorError>>,
}

/// Settings for `sources` on `simulator`, with a probe port of the system's choice.
pub fn config(simulator: &Simulator, sources: &[&str]) -> ServerConfigBuilder {
    ServerConfig::builder()
        .target_server(simulator.url())
        .auth_token(simulator.token())
        .sources(sources.iter().copied())
        .set("tcpProbePort", "0")
        .set("proxy", "none")
}

impl Connector {
    /// Runs the handlers of `set` for `sources` on `simulator`.
    #[must_use]
    pub fn start(set: ConnectorSetBuilder, simulator: &Simulator, sources: &[&str]) -> Self {
        Self::start_with(set, config(simulator, sources))
    }

    /// Runs the handlers of `set` with settings of the test's own.
    ///
    /// # Panics
    /// If the settings or the handlers do not fit.
    #[must_use]
    pub fn start_with(set: ConnectorSetBuilder, config: ServerConfigBuilder) -> Self {
        let config = config.build().expect("the test's settings are right");
        let set = set.config(config).build().expect("every source has a handler");
        let (handle, stop) = (set.handle(), CancellationToken::new());
        let serving = tokio::spawn(set.serve(stop.clone()));
        Self { set: handle, stop, serving }
    }

    /// The handle of a source.
    ///
    /// # Panics
    /// If there is no such source.
    #[must_use]
    pub fn source(&self, name: &str) -> Source {
        self.set.source(name).expect("the test named the source")
    }

    /// Waits until the handler of `source` is connected.
    pub async fn connected(&self, source: &str) {
        within(self.source(source).wait_for(|state| *state == SourceState::Connected)).await;
    }

    /// Stops the set and waits for its end.
    ///
    /// # Errors
    /// What `serve` returned.
    pub async fn stop(self) -> Result<(), ConnectorError> {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits until the set ends by itself.
    ///
    /// # Errors
    /// What `serve` returned.
    ///
    /// # Panics
    /// If the set panicked.
    pub async fn ended(self) -> Result<(), ConnectorError> {
        within(self.serving).await.expect("the set does not panic")
    }
}
