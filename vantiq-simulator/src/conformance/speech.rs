//! Checks of what servers may say in one way or another (PROTOCOL sections 2, 5, 8 and 16).

use std::time::Duration;

use super::Conformance;
use super::connector::Start;
use super::stage::{Failure, Stage};
use crate::acknowledge::{Acknowledge, AcknowledgeOrder};
use crate::builder::SimulatorBuilder;

/// Messages that mean nothing to a connector: an operation of the future, one without a name, a status too many.
const STRAY: [&str; 3] = [r#"{"op":"operationOfTheFuture","object":{}}"#, "{}", r#"{"status":200}"#];
/// Publishes for each way to acknowledge.
const PUBLISHES: usize = 20;
/// How late a late acknowledgement is.
const LATE: Duration = Duration::from_millis(50);

pub(super) async fn understands_servers(suite: &Conformance, start: Start<'_>) -> Result<String, Failure> {
    let ways = ways(suite);
    let number = ways.len();
    for (way, server) in ways {
        let understood = suite.on_stage(start, server, understands).await;
        understood.map_err(|Failure(why)| Failure(format!("{way}: {why}")))?;
    }
    Ok(format!("{number} ways"))
}

fn ways(suite: &Conformance) -> Vec<(&'static str, SimulatorBuilder)> {
    let server = || suite.server();
    vec![
        ("binary frames", server()),
        ("text frames", server().text_frames(true)),
        (
            "a status before the configuration",
            server().connect_acknowledgements(1, AcknowledgeOrder::BeforeConfiguration),
        ),
        (
            "statuses behind the configuration",
            server().connect_acknowledgements(2, AcknowledgeOrder::AfterConfiguration),
        ),
        (
            "everything acknowledged, with request ids",
            server().acknowledge(Acknowledge::Everything).request_id_headers(true),
        ),
    ]
}

async fn understands(stage: &Stage<'_>) -> Result<String, Failure> {
    stage.publish().await?;
    if let Some(publish) = &stage.suite.publish {
        stage.source.send_fragmented(publish.clone()).await?;
    }
    for stray in STRAY {
        stage.source.send_raw(stray).await?;
    }
    // The connector has read all that when it does what comes behind it.
    if stage.suite.query.is_some() {
        stage.answers().await?;
    } else {
        let before = stage.source.sessions();
        stage.source.reconnect_required().await?;
        stage.attached_again(before).await?;
    }
    stage.same_link()?;
    Ok(String::new())
}

pub(super) async fn copes_with_acknowledgements(
    suite: &Conformance,
    start: Start<'_>,
) -> Result<String, Failure> {
    let ways = [
        Acknowledge::Delayed(LATE),
        Acknowledge::OmittedEvery(3),
        Acknowledge::Merged(4),
        Acknowledge::Nothing,
        Acknowledge::Everything,
        Acknowledge::NotificationsOnly,
    ];
    let body = async |stage: &Stage<'_>| {
        for way in ways.clone() {
            stage.source.acknowledge(way);
            for _ in 0..PUBLISHES {
                stage.publish().await?;
            }
            stage.answers().await?;
        }
        let (publishes, notifications) = (ways.len() * PUBLISHES, stage.source.notification_count());
        Ok(format!("{publishes} publishes, {notifications} notifications"))
    };
    suite.on_stage(start, suite.server(), body).await
}
