//! A connector set that runs beside the test.

use std::time::Duration;

use tokio::task::JoinHandle;
use vantiq_connector::{
    CancellationToken, ConnectorError, ConnectorSet, ConnectorSetBuilder, ConnectorSetHandle, ServerConfig,
    ServerConfigBuilder, Source, SourceHandler, SourceState, TransportErrorKind,
};
use vantiq_simulator::Simulator;

use crate::{chain, within};

/// A connector set that runs beside the test, through the public API.
#[derive(Debug)]
pub struct Connector {
    /// The set's handle.
    pub set: ConnectorSetHandle,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ConnectorError>>,
}

/// A set of `H` that dials again without much delay.
pub fn hasty<H: SourceHandler>() -> ConnectorSetBuilder {
    ConnectorSet::builder().source::<H>().backoff(Duration::from_millis(1), Duration::from_millis(20))
}

/// Settings for `sources` on `simulator`, with a probe port of the system's choice and no proxy.
pub fn config(simulator: &Simulator, sources: &[&str]) -> ServerConfigBuilder {
    config_at(&simulator.url(), simulator.token(), sources)
}

/// The same for the server at `url`.
pub fn config_at(url: &str, token: &str, sources: &[&str]) -> ServerConfigBuilder {
    ServerConfig::builder()
        .target_server(url)
        .auth_token(token)
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

    /// Runs a set that is to end because its server cannot be reached. Returns the kind of the error, and the
    /// error and its causes on one line.
    ///
    /// # Panics
    /// If it ends otherwise.
    pub async fn unreachable(
        set: ConnectorSetBuilder,
        config: ServerConfigBuilder,
    ) -> (TransportErrorKind, String) {
        let config = config.set("failOnConnectionError", "true");
        let error = Self::start_with(set, config).ended().await.expect_err("the server cannot be reached");
        assert_eq!(error.exit_code(), 69);
        let shown = chain(&error);
        match error {
            ConnectorError::Unreachable(cause) => (cause.kind().clone(), shown),
            other => panic!("{other:?}"),
        }
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

    /// Waits until `source` waits before its next attempt, for a reason with `part` in it. Returns its state,
    /// which says the reason.
    pub async fn waiting(&self, source: &str, part: &str) -> String {
        let source = self.source(source);
        let waits = |state: &SourceState| matches!(state, SourceState::Waiting(why) if why.contains(part));
        within(source.wait_for(waits)).await.to_string()
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
