//! A connector set in tests: beside a simulated server, and under the [`conformance`] suite.

use tracing::{Instrument, error, info_span};
use vantiq_simulator::{CancellationToken, Conformance, ConformanceReport, Simulator};

use super::{ConnectorSet, ConnectorSetBuilder, ConnectorSetHandle};
use crate::{ConnectorError, ServerConfig, SourceHandler, error};

/// What tests set besides what the simulator says: no proxy on the way to it, and no port that others have.
const IN_TESTS: &str = "proxy=none\ntcpProbePort=0\n";

impl ConnectorSetBuilder {
    /// Serves the listed sources of a simulated server, in a task of its own, in place of any settings given so
    /// far. [`ConnectorSetHandle::close`] ends it in order; the end of the runtime, such as that of a
    /// `#[tokio::test]`, ends it at once.
    ///
    /// ```no_run
    /// # use serde_json::json;
    /// # use vantiq_connector::{prelude::*, simulator::Simulator};
    /// # #[derive(VantiqSource)]
    /// # #[vantiq_source("thermostat")]
    /// # struct Thermostat;
    /// # impl SourceHandler for Thermostat {
    /// #     async fn connect(_: Source, _: Self::Config) -> Result<Self> { Ok(Self) }
    /// # }
    /// # async fn example() -> Result<()> {
    /// let simulator = Simulator::builder().source("thermostat", json!({})).start().await?;
    /// let connector = ConnectorSet::builder().source::<Thermostat>().start_on(&simulator)?;
    /// simulator.source("thermostat").wait_attached().await?;
    /// connector.close().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`build`](Self::build). An error that ends the set later is logged.
    ///
    /// # Panics
    /// Outside of a Tokio runtime.
    pub fn start_on(self, simulator: &Simulator) -> Result<ConnectorSetHandle, ConnectorError> {
        let set = self.build_for(&simulator.server_config())?;
        let handle = set.handle();
        let serving = async {
            if let Err(why) = set.serve(CancellationToken::new()).await {
                error!(error = error::chain(&why), "the connector set ended");
            }
        };
        tokio::spawn(serving.instrument(info_span!("connector")));
        Ok(handle)
    }

    /// The set, with the text of a `server.config`.
    fn build_for(self, server_config: &str) -> Result<ConnectorSet, ConnectorError> {
        self.config(ServerConfig::parse(&format!("{server_config}{IN_TESTS}"))?).build()
    }
}

/// Runs the conformance suite on a handler: whatever can be checked of any connector with the samples of `suite`.
///
/// ```
/// # use serde::Deserialize;
/// # use serde_json::json;
/// # use vantiq_connector::{prelude::*, simulator::Conformance};
/// # #[derive(Deserialize)]
/// # struct Config { unit: String }
/// # #[derive(VantiqSource)]
/// # #[vantiq_source("thermostat", config = Config)]
/// # struct Thermostat(Config);
/// # impl SourceHandler for Thermostat {
/// #     async fn connect(_: Source, config: Config) -> Result<Self> { Ok(Self(config)) }
/// #     async fn query(&self, _: Self::Query, _: &mut Rows) -> Result<Answer> { Answer::row(&self.0.unit) }
/// # }
/// # #[tokio::main]
/// # async fn main() {
/// let suite = Conformance::new("thermostat", json!({"unit": "celsius"})).query(json!({"op": "current"}));
/// # let suite = suite.queries(20).cuts(1);
/// vantiq_connector::conformance::<Thermostat>(suite).await.assert_clean();
/// # }
/// ```
///
/// It takes some seconds, most of them waiting for the backoff after cuts.
///
/// # Cancel safety
/// Dropping it drops the connector that runs.
pub async fn conformance<H: SourceHandler>(suite: Conformance) -> ConformanceReport {
    conformance_of(suite, || ConnectorSet::builder().source::<H>()).await
}

/// Runs the conformance suite on a set: one with shared state, limits or deadlines of its own, or several handlers,
/// of which the suite tries one source. `set` is called for every connector that the suite needs.
///
/// # Cancel safety
/// Dropping it drops the connector that runs.
pub async fn conformance_of(
    suite: Conformance,
    set: impl Fn() -> ConnectorSetBuilder + Send + Sync,
) -> ConformanceReport {
    let start = |server_config: String, stop| {
        let built = set().build_for(&server_config);
        async move { built?.serve(stop).await }
    };
    suite.run(start).await
}
