//! [`Conformance`]: a suite that any connector can run on itself.
//!
//! Knows nothing of how a connector is made: it starts one by a function, stops it by a token, and is its server
//! meanwhile. Each check has a server and a connector of its own, so that what one breaks does not show in the next.
//! Which checks there are is in [`check`], what they do in [`queries`], [`sessions`], [`load`] and [`speech`]; a
//! [`Stage`](stage::Stage) is what they do it with. Entry point: [`Conformance::run`].

mod check;
mod connector;
mod load;
mod queries;
mod report;
mod sessions;
mod speech;
mod stage;
mod suite;

use std::error::Error;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::check::ConformanceCheck;
use self::connector::Start;
pub use self::report::{ConformanceReport, ConformanceResult, ConformanceVerdict};
use self::stage::Failure;
pub use self::suite::Conformance;

impl Conformance {
    /// Runs all checks, one after another, and says what came of each.
    ///
    /// `start` is called for every connector that is needed, some twenty in all: with the text of a `server.config`
    /// that has `targetServer`, `authToken` and `sources`, and a token. The future that it returns is the connector:
    /// it ends when the token is cancelled, and then without an error. It may run in this process or start another
    /// one. It is dropped when it does not end in time.
    ///
    /// ```no_run
    /// # use serde_json::json;
    /// use vantiq_simulator::{CancellationToken, Conformance};
    ///
    /// # struct MyConnector;
    /// # impl MyConnector {
    /// #     fn new(_: &str) -> std::io::Result<Self> { Ok(Self) }
    /// #     async fn serve(self, _: CancellationToken) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// # async fn example() {
    /// let thermostat = Conformance::new("thermostat", json!({})).query(json!({"op": "current"}));
    /// let report = thermostat.run(async |server_config: String, stop| MyConnector::new(&server_config)?.serve(stop).await);
    /// report.await.assert_clean();
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the connector that runs.
    pub async fn run<F, R, E>(&self, start: F) -> ConformanceReport
    where
        F: Fn(String, CancellationToken) -> R + Send + Sync,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let start: Start<'_> = &|server_config, stop| connector::running(start(server_config, stop));
        let attaches = self.attaches(start).await;
        let mut results = Vec::new();
        for check in ConformanceCheck::ALL {
            let began = Instant::now();
            let (verdict, words) = self.judge(check, &attaches, start).await;
            results.push(ConformanceResult { check, verdict, words, took: began.elapsed() });
        }
        ConformanceReport { source: self.source.clone(), results }
    }

    /// Whether the connector attaches at all. If not, each check would only wait for that.
    async fn attaches(&self, start: Start<'_>) -> Result<(), Failure> {
        let stage = self.stage(self.server()).await?;
        let connector = stage.attached_connector(start).await?;
        connector.put_away(self.grace).await;
        Ok(())
    }

    async fn judge(
        &self,
        check: ConformanceCheck,
        attaches: &Result<(), Failure>,
        start: Start<'_>,
    ) -> (ConformanceVerdict, String) {
        match (attaches, self.lacks(check)) {
            // Also where it was left out: a report of a connector that does nothing must not be clean.
            (Err(Failure(why)), _) if check == ConformanceCheck::OpensAndCloses => {
                (ConformanceVerdict::Failed, why.clone())
            }
            (Err(_), _) => (ConformanceVerdict::Skipped, "the connector does not attach".to_owned()),
            (Ok(()), Some(reason)) => (ConformanceVerdict::Skipped, reason.to_owned()),
            (Ok(()), None) => match self.perform(check, start).await {
                Ok(counts) => (ConformanceVerdict::Passed, counts),
                Err(Failure(why)) => (ConformanceVerdict::Failed, why),
            },
        }
    }

    /// Does what a check is about, and says in words how much it did.
    async fn perform(&self, check: ConformanceCheck, start: Start<'_>) -> Result<String, Failure> {
        use ConformanceCheck as C;
        match check {
            C::OpensAndCloses => sessions::opens_and_closes(self, start).await,
            C::UnderstandsServers => speech::understands_servers(self, start).await,
            C::AnswersOneByOne => queries::answers_one_by_one(self, start).await,
            C::AnswersAtOnce => queries::answers_at_once(self, start).await,
            C::AnswersUnknownQueries => queries::answers_unknown_queries(self, start).await,
            C::SplitsLargeAnswers => queries::splits_large_answers(self, start).await,
            C::CopesWithAcknowledgements => speech::copes_with_acknowledgements(self, start).await,
            C::ReconnectsUnderLoad => load::reconnects_under_load(self, start).await,
            C::RetriesWhereRefused => sessions::retries_where_refused(self, start).await,
            C::TakesNewConfigurations => sessions::takes_new_configurations(self, start).await,
            C::SurvivesInvalidConfigurations => sessions::survives_invalid_configurations(self, start).await,
            C::ShutsDown => queries::shuts_down(self, start).await,
        }
    }
}
