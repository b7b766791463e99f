//! The conformance suite on connectors of this SDK: as a process, with limits of its own, and where it has to fail.
//! That each check can fail is tested in the simulator; the thermostat's own test runs it in full.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::{Value, json};
use vantiq_connector::{ConnectorSetBuilder, conformance_of, prelude::*};
use vantiq_connector_tests::{Echo, Gate, Quiet, hasty, within};
use vantiq_simulator::{Conformance, ConformanceCheck, ConformanceVerdict, Cut, Simulator};

/// Answers queries with themselves, and one of them after a while.
#[derive(VantiqSource)]
#[vantiq_source]
struct Slow;

impl SourceHandler for Slow {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        if query == "slow" {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Answer::row(&query)
    }
}

fn slow() -> ConnectorSetBuilder {
    hasty::<Slow>()
}

fn samples() -> Conformance {
    Conformance::new("a", json!({})).query("quick").slow_query("slow").publish("nothing").queries(100).cuts(3)
}

#[tokio::test]
async fn a_query_in_flight_is_answered_before_the_end() {
    let report = conformance_of(samples(), slow).await;
    report.assert_clean();
    let skipped = report.checks(ConformanceVerdict::Skipped);
    let without_samples = [
        ConformanceCheck::AnswersUnknownQueries,
        ConformanceCheck::SplitsLargeAnswers,
        ConformanceCheck::SurvivesInvalidConfigurations,
    ];
    assert_eq!(skipped, without_samples);
}

/// An error is an answer, and is not what was asked for.
#[tokio::test]
async fn a_connector_that_is_asked_more_than_it_takes_fails_in_that_alone() {
    let report = conformance_of(samples(), || slow().max_queries(4)).await;
    let failed = report.checks(ConformanceVerdict::Failed);
    // Before the end it answers, if only that it is busy.
    assert_eq!(failed, [ConformanceCheck::AnswersAtOnce], "{report}");
    assert!(report.to_string().contains(QueryError::BUSY), "{report}");
    conformance_of(samples().at_once(4), || slow().max_queries(4)).await.assert_clean();
}

/// Settings that do not fit are told by each check.
#[tokio::test]
async fn a_set_that_cannot_be_built_fails_with_the_reason() {
    let report = conformance_of(samples().deadline(Duration::from_secs(1)), ConnectorSet::builder).await;
    assert!(report.checks(ConformanceVerdict::Passed).is_empty());
    assert!(report.results[0].words.contains("source `a` has no handler"), "{report}");
}

#[tokio::test]
async fn a_set_serves_the_sources_of_a_simulator_until_it_is_closed() {
    let builder = Simulator::builder().source("a", json!({"one": 1})).source("b", json!({"two": 2}));
    let simulator = builder.start().await.unwrap();
    let connector = hasty::<Echo>().shared_arc(Gate::closed()).start_on(&simulator).unwrap();
    for (source, configuration) in [("a", json!({"one": 1})), ("b", json!({"two": 2}))] {
        let source = simulator.source(source);
        let is_it = |event: &vantiq_simulator::Notification| event.object["configured"] == configuration;
        source.expect_notification(is_it).await.unwrap();
        source.cut(Cut::Abort).await.unwrap();
        source.wait_sessions(2).await.unwrap();
    }
    within(connector.close()).await;
    assert_eq!(simulator.links(), 0);
    assert_eq!(simulator.violations(), [] as [String; 0]);
}

#[tokio::test]
async fn a_set_for_a_simulator_without_fitting_sources_is_not_built() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let error = ConnectorSet::builder().start_on(&simulator).unwrap_err();
    assert!(error.to_string().contains("source `a` has no handler"), "{error}");
    let connector = hasty::<Quiet>().start_on(&simulator).unwrap();
    simulator.source("a").wait_attached().await.unwrap();
    within(connector.close()).await;
}

/// The example as a process: the suite needs to know only how to start it and how to stop it.
#[cfg(unix)]
mod process {
    use std::{path::Path, process::Stdio};

    use anyhow::{Context, bail};
    use tokio::process::{Child, Command};
    use vantiq_simulator::CancellationToken;

    use super::*;

    /// Runs the example with these settings until `stop`, then sends SIGTERM as Kubernetes does.
    async fn thermostat(server_config: String, stop: CancellationToken) -> Result<()> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("server.config");
        std::fs::write(&path, server_config + "proxy=none\n")?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_thermostat"))
            .arg(path)
            .env_clear()
            .kill_on_drop(true)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        tokio::select! {
            status = child.wait() => bail!("it ended by itself: {}", status?),
            () = stop.cancelled() => terminate(&child)?,
        }
        let status = child.wait().await?;
        if status.success() { Ok(()) } else { bail!("{status}") }
    }

    fn terminate(child: &Child) -> Result<()> {
        let pid = child.id().context("it has ended")?.to_string();
        std::process::Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(())
    }

    #[tokio::test]
    async fn the_thermostat_passes_as_a_process_of_its_own() {
        let suite = Conformance::new("thermostat", json!({"unit": "celsius"}))
            .invalid_configuration(json!({"unit": 5}))
            .publish(json!({"target": 21}))
            .query(json!({"op": "current"}))
            .unknown_query(json!({"op": "weather"}))
            .queries(100)
            .cuts(3);
        let report = suite.run(thermostat).await;
        println!("{report}");
        report.assert_clean();
    }
}
