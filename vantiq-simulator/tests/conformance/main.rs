//! The conformance suite on a connector that is right, and on many of which each is wrong in one place: a check that
//! cannot fail checks nothing.

mod bare;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet};
use vantiq_simulator::ConformanceCheck as C;
use vantiq_simulator::{Conformance, ConformanceReport, ConformanceVerdict};

use crate::bare::Fault;

/// How long a broken connector keeps a check waiting; for another one it is plenty.
const DEADLINE: Duration = Duration::from_secs(5);
/// So many suites run side by side. Most of their time they wait; but all of them at once would have one another miss
/// their deadlines where the machine is busy.
const AT_ONCE: usize = 6;
/// How long a connector that does not stop keeps each check waiting.
const BRIEFLY: Duration = Duration::from_millis(500);

fn samples() -> Conformance {
    Conformance::new("thermostat", json!({"unit": "celsius"}))
        .changed_configuration(json!({"unit": "kelvin"}))
        .invalid_configuration(json!({"unit": 5}))
        .publish(json!({"target": 21}))
        .query(json!({"op": "current"}))
        .slow_query(json!({"op": "slow"}))
        .large_query(json!({"op": "large"}))
        .unknown_query(json!({"op": "weather"}))
}

async fn run(suite: Conformance, fault: Fault) -> ConformanceReport {
    suite.run(move |server_config, stop| bare::serve(server_config, stop, fault)).await
}

#[tokio::test]
async fn a_connector_without_any_sdk_passes_in_full() {
    let report = run(samples(), Fault::None).await;
    println!("{report}");
    report.assert_clean();
    assert_eq!(report.checks(ConformanceVerdict::Skipped), []);
}

#[tokio::test]
async fn without_samples_there_is_less_to_check_and_the_rest_passes() {
    let report = run(Conformance::new("thermostat", json!({"unit": "celsius"})).cuts(3), Fault::None).await;
    println!("{report}");
    report.assert_clean();
    assert_eq!(report.checks(ConformanceVerdict::Passed).len(), 5);
}

#[tokio::test]
async fn where_nothing_attaches_nothing_passes_and_nobody_waits_for_each_check() {
    let suite = samples().deadline(BRIEFLY).without(C::OpensAndCloses);
    let report = run(suite, Fault::NeverAttaches).await;
    assert_eq!(report.checks(ConformanceVerdict::Failed), [C::OpensAndCloses]);
    assert_eq!(report.checks(ConformanceVerdict::Skipped).len(), C::ALL.len() - 1);
}

/// What each fault breaks, and that it breaks nothing else.
const BROKEN: &[(Fault, &[C])] = &[
    (Fault::None, &[]),
    (Fault::NeverAttaches, &[C::OpensAndCloses]),
    (
        Fault::AnswersTwice,
        &[
            C::UnderstandsServers,
            C::AnswersOneByOne,
            C::AnswersAtOnce,
            C::AnswersUnknownQueries,
            C::SplitsLargeAnswers,
            C::CopesWithAcknowledgements,
            C::ReconnectsUnderLoad,
            C::RetriesWhereRefused,
            C::TakesNewConfigurations,
            C::SurvivesInvalidConfigurations,
            C::ShutsDown,
        ],
    ),
    (Fault::LosesEveryFiftiethQuery, &[C::AnswersOneByOne, C::AnswersAtOnce, C::ReconnectsUnderLoad]),
    (Fault::LeavesUnknownQueries, &[C::AnswersUnknownQueries]),
    (Fault::AnswersInOneMessage, &[C::SplitsLargeAnswers]),
    (Fault::WaitsForAcknowledgements, &[C::CopesWithAcknowledgements]),
    (Fault::NeverReconnects, &[C::ReconnectsUnderLoad]),
    (Fault::RepeatsAnswersAfterReconnecting, &[C::ReconnectsUnderLoad]),
    (Fault::GivesUpWhereRefused, &[C::RetriesWhereRefused]),
    (
        Fault::IgnoresReconnectRequired,
        &[C::RetriesWhereRefused, C::TakesNewConfigurations, C::SurvivesInvalidConfigurations],
    ),
    (Fault::ReadsBinaryFramesOnly, &[C::UnderstandsServers]),
    (Fault::DiesOfUnknownOperations, &[C::UnderstandsServers]),
    (Fault::DiesOfInvalidConfigurations, &[C::SurvivesInvalidConfigurations]),
    (Fault::TakesInvalidConfigurations, &[C::SurvivesInvalidConfigurations]),
    (Fault::ClosesWithoutHandshake, &[C::OpensAndCloses, C::ShutsDown]),
    (Fault::LeavesQueriesWhenStopped, &[C::ShutsDown]),
    (Fault::NeverStops, &[C::OpensAndCloses, C::ShutsDown]),
];

#[tokio::test]
async fn each_fault_fails_its_checks_and_no_other() {
    let mut runs = JoinSet::new();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    for (fault, expected) in BROKEN {
        let grace = if *fault == Fault::NeverStops { BRIEFLY } else { DEADLINE };
        let brief = samples().queries(100).at_once(8).cuts(3).deadline(DEADLINE).grace(grace);
        let places = Arc::clone(&places);
        runs.spawn(async move {
            let _place = places.acquire_owned().await;
            (*fault, *expected, run(brief, *fault).await)
        });
    }
    while let Some(ended) = runs.join_next().await {
        let (fault, expected, report) = ended.expect("the suite does not panic");
        println!("{fault:?}\n{report}\n");
        assert_eq!(report.checks(ConformanceVerdict::Failed), expected, "{fault:?}\n{report}");
    }
}
