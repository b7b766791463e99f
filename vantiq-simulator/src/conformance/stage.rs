//! [`Stage`]: the server of one check, and what checks do with it.

use serde_json::Value;

use super::Conformance;
use super::connector::{Connector, Start};
use crate::builder::SimulatorBuilder;
use crate::cut::Ending;
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::excerpt::excerpt;
use crate::query::QueryReply;
use crate::simulator::Simulator;
use crate::source::Source;

/// Violations that are shown where there are some.
const VIOLATIONS_SHOWN: usize = 2;

/// Why a check fails, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) String);

impl From<SimulatorError> for Failure {
    fn from(error: SimulatorError) -> Self {
        Self(error.to_string())
    }
}

/// A simulator with the one source of the suite.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) suite: &'a Conformance,
    pub(super) simulator: Simulator,
    pub(super) source: Source,
}

/// What is in flight when a link or a session ends may be answered or lost, but not left without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Answered,
    AnsweredWithError,
    Lost,
}

impl Conformance {
    /// Tries a connector on a server like this: waits until it is attached, then does `body`. A connector that ends
    /// meanwhile fails, and so does one that does what the protocol forbids.
    pub(super) async fn on_stage(
        &self,
        start: Start<'_>,
        server: SimulatorBuilder,
        body: impl AsyncFnOnce(&Stage<'_>) -> Result<String, Failure>,
    ) -> Result<String, Failure> {
        let stage = self.stage(server).await?;
        let mut connector = stage.connector(start);
        let done = async {
            stage.source.wait_attached().await?;
            body(&stage).await
        };
        // Cancel safety: whatever ends first decides, and the rest is given up.
        let done = tokio::select! {
            biased;
            done = done => done,
            end = connector.unasked_end() => Err(end),
        };
        connector.put_away(self.grace).await;
        // Until then it may say something that it must not.
        let _ = stage.no_link().await;
        stage.without_violations(done)
    }

    /// The server of a check: patient as the suite is, and with the suite's source.
    pub(super) fn server(&self) -> SimulatorBuilder {
        self.server_with(self.configuration.clone())
    }

    /// The same, with another configuration document.
    pub(super) fn server_with(&self, configuration: Value) -> SimulatorBuilder {
        let patient = Simulator::builder().deadline(self.deadline).query_timeout(self.deadline);
        patient.source(self.source.clone(), configuration)
    }

    pub(super) async fn stage(&self, server: SimulatorBuilder) -> Result<Stage<'_>, Failure> {
        let simulator = server.start().await?;
        let source = simulator.source(&self.source);
        Ok(Stage { suite: self, simulator, source })
    }

    /// The query that is answered. Only checks that need none do without.
    pub(super) fn sample(&self) -> Value {
        self.query.clone().unwrap_or_default()
    }
}

impl Stage<'_> {
    pub(super) fn connector(&self, start: Start<'_>) -> Connector {
        Connector::start(start, self.simulator.server_config())
    }

    /// A connector that is attached; one that ends before is a failure.
    pub(super) async fn attached_connector(&self, start: Start<'_>) -> Result<Connector, Failure> {
        let mut connector = self.connector(start);
        // Cancel safety: whatever ends first decides, and the rest is given up.
        tokio::select! {
            biased;
            attached = self.source.wait_attached() => attached?,
            end = connector.unasked_end() => return Err(end),
        }
        Ok(connector)
    }

    /// Asks this, and wants an answer that is no error.
    pub(super) async fn ask(&self, query: Value) -> Result<QueryReply, Failure> {
        asked(&self.source, query).await
    }

    /// Sees to it that the connector answers its query, if it has one.
    pub(super) async fn answers(&self) -> Result<(), Failure> {
        match &self.suite.query {
            Some(query) => self.ask(query.clone()).await.map(drop),
            None => Ok(()),
        }
    }

    /// Sends the publish, if there is one.
    pub(super) async fn publish(&self) -> Result<(), Failure> {
        match &self.suite.publish {
            Some(publish) => Ok(self.source.publish(publish.clone()).await?),
            None => Ok(()),
        }
    }

    /// Waits until the connector has attached once more than `before`.
    pub(super) async fn attached_again(&self, before: u64) -> Result<(), Failure> {
        Ok(self.source.wait_sessions(before + 1).await?)
    }

    /// Sees to it that the connector still has the link it began with.
    pub(super) fn same_link(&self) -> Result<(), Failure> {
        match self.simulator.links_opened() {
            1 => Ok(()),
            links => Err(Failure(format!("the connector has given up its link, and opened {links} in all"))),
        }
    }

    /// Sees to it that all links end, and that the connector ended each of them by a closing handshake.
    pub(super) async fn closed_by_connector(&self) -> Result<(), Failure> {
        self.no_link().await?;
        let ends = self.simulator.link_ends();
        match ends.iter().find(|end| !matches!(end.ending, Ending::ClosedByConnector { .. })) {
            None => Ok(()),
            Some(end) => {
                Err(Failure(format!("the link ended without a closing handshake: {:?}", end.ending)))
            }
        }
    }

    async fn no_link(&self) -> Result<(), SimulatorError> {
        self.simulator.wait_for("the link to be closed", |simulator| simulator.links() == 0).await
    }

    /// The outcome of a check, which fails where the connector violated the protocol.
    pub(super) fn without_violations<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        let violations = self.simulator.violations();
        if violations.is_empty() {
            return done;
        }
        let shown = violations.iter().take(VIOLATIONS_SHOWN).cloned().collect::<Vec<_>>().join("; ");
        let found = format!("{} violations of the protocol, such as: {shown}", violations.len());
        Err(Failure(match done {
            Ok(_) => found,
            Err(Failure(why)) => format!("{why}; {found}"),
        }))
    }
}

/// Asks a source this, and wants an answer that is no error.
pub(super) async fn asked(source: &Source, query: Value) -> Result<QueryReply, Failure> {
    let shown = excerpt(&query);
    let reply = source.query(query).await?;
    if reply.is_error() {
        let (status, body) = (reply.status, excerpt(&reply.body));
        return Err(Failure(format!("the query {shown} was answered with status {status}: {body}")));
    }
    Ok(reply)
}

/// What became of a query that was in flight when something ended.
pub(super) fn fate(replied: Result<QueryReply, SimulatorError>) -> Result<Fate, Failure> {
    match replied {
        Ok(reply) if reply.is_error() => Ok(Fate::AnsweredWithError),
        Ok(_) => Ok(Fate::Answered),
        Err(error) => match error.kind() {
            SimulatorErrorKind::LinkLost { .. } | SimulatorErrorKind::NoSession { .. } => Ok(Fate::Lost),
            _ => Err(error.into()),
        },
    }
}
