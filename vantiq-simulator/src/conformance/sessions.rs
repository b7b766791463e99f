//! Checks of sessions: how they begin, change and end.

use serde_json::Value;

use super::Conformance;
use super::connector::Start;
use super::stage::{Failure, Fate, Stage, fate};
use crate::refusal::Refusal;

/// How often a connector is opened and closed.
const OPENINGS: usize = 3;
/// Refusals in a row.
const REFUSALS: usize = 2;
/// Configurations in a row; an even number, so that the last is the first again.
const CONFIGURATIONS: usize = 4;

pub(super) async fn opens_and_closes(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    // One server for all of them: a source that is not given back would refuse the next.
    let stage = suite.stage(suite.server()).await?;
    let done = async {
        for _ in 0..OPENINGS {
            opens_and_closes_once(&stage, start).await?;
        }
        Ok(format!("{OPENINGS} times"))
    };
    stage.without_violations(done.await)
}

async fn opens_and_closes_once(stage: &Stage<'_>, start: Start<'_>) -> Result<(), Failure> {
    let connector = stage.attached_connector(start).await?;
    connector.stop(stage.suite.grace).await?;
    stage.closed_by_connector().await
}

pub(super) async fn retries_where_refused(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        for refusal in [Refusal::NoAssociatedStream, Refusal::AlreadyConnected] {
            let before = stage.source.sessions();
            stage.source.refuse_times(REFUSALS, refusal);
            stage.source.reconnect_required().await?;
            stage.attached_again(before).await?;
            stage.answers().await?;
        }
        Ok(format!("{} refusals", 2 * REFUSALS))
    };
    suite.on_stage(start, suite.server(), body).await
}

pub(super) async fn takes_new_configurations(
    suite: &Conformance,
    start: Start<'_>,
) -> Result<String, Failure> {
    let body = async |stage: &Stage<'_>| {
        let changed = suite.changed_configuration.as_ref().unwrap_or(&suite.configuration);
        for configuration in [changed, &suite.configuration].into_iter().cycle().take(CONFIGURATIONS) {
            takes_new_configuration(stage, configuration).await?;
        }
        Ok(format!("{CONFIGURATIONS} configurations, {} links", stage.simulator.links_opened()))
    };
    suite.on_stage(start, suite.server(), body).await
}

async fn takes_new_configuration(stage: &Stage<'_>, configuration: &Value) -> Result<(), Failure> {
    let in_flight = match &stage.suite.query {
        Some(query) => Some(stage.source.start_query(query.clone()).await?),
        None => None,
    };
    let before = stage.source.sessions();
    stage.source.configure(configuration.clone()).await?;
    stage.attached_again(before).await?;
    if let Some(in_flight) = in_flight {
        // The answer, an error because the session ended, or nothing because the link did.
        fate(in_flight.await)?;
    }
    stage.publish().await?;
    stage.answers().await
}

pub(super) async fn survives_invalid_configurations(
    suite: &Conformance,
    start: Start<'_>,
) -> Result<String, Failure> {
    let invalid = suite.invalid_configuration.clone().unwrap_or_default();
    let from_the_beginning = async |stage: &Stage<'_>| suffers_and_heals(stage, 0).await;
    let first = suite.on_stage(start, suite.server_with(invalid.clone()), from_the_beginning).await?;
    let later = async |stage: &Stage<'_>| {
        stage.answers().await?;
        let before = stage.source.sessions();
        stage.source.configure(invalid).await?;
        suffers_and_heals(stage, before).await
    };
    let second = suite.on_stage(start, suite.server(), later).await?;
    Ok(format!("from the beginning {first}, later {second}"))
}

/// Asks a connector that gets, or has got, an invalid configuration; heals it, and asks again.
async fn suffers_and_heals(stage: &Stage<'_>, before: u64) -> Result<String, Failure> {
    let Stage { simulator, source, suite } = stage;
    // It may have left again already.
    let taken =
        simulator.wait_for("the connector to get the invalid configuration", |_| source.sessions() > before);
    taken.await?;
    let suffered = match fate(source.query(suite.sample()).await)? {
        Fate::Answered => {
            let what = "with an invalid configuration the query is answered as if nothing were wrong";
            return Err(Failure(what.to_owned()));
        }
        Fate::AnsweredWithError => "it answers with an error",
        Fate::Lost => "it leaves and comes back",
    };
    let before = source.sessions();
    source.configure(suite.configuration.clone()).await?;
    stage.attached_again(before).await?;
    stage.answers().await?;
    Ok(suffered.to_owned())
}
