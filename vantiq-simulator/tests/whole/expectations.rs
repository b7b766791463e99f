//! What a test expects of a connector, and what it is told where that does not come.

use std::time::Duration;

use serde_json::{Value, json};
use vantiq_simulator::{Simulator, SimulatorErrorKind};

use crate::client::{Client, simulator};

/// How long a test waits in vain.
const BRIEFLY: Duration = Duration::from_millis(300);

async fn impatient() -> Simulator {
    let builder = Simulator::builder().source("thermostat", json!({})).deadline(BRIEFLY);
    builder.start().await.expect("a free port")
}

#[tokio::test]
async fn the_expected_notification_is_found_behind_others_which_are_skipped() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    for number in 1..=4 {
        client.notify("thermostat", json!({"number": number})).await;
    }
    let third = source.expect_notification(|notification| notification.object["number"] == 3).await;
    assert_eq!(third.expect("it came").object, json!({"number": 3}));
    assert_eq!(source.next_notification().await.expect("it came").object, json!({"number": 4}));
    assert_eq!(source.notifications().len(), 4, "what was skipped is still recorded");
}

#[tokio::test]
async fn an_expectation_waits_and_may_ask_the_simulator() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let second = source.expect_notification(|_| source.notification_count() == 2);
    let ((), found) = tokio::join!(
        async {
            client.notify("thermostat", json!("one")).await;
            client.next().await;
            client.notify("thermostat", json!("two")).await;
        },
        second
    );
    assert_eq!(found.expect("it came").object, "two");
}

#[tokio::test]
async fn an_expectation_that_is_dropped_loses_nothing_expected() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.notify("thermostat", json!("skipped")).await;
    source.wait_notifications(1).await.expect("it came");
    let given_up =
        tokio::time::timeout(BRIEFLY, source.expect_notification(|next| next.object == "expected"));
    given_up.await.expect_err("it is not sent yet");
    client.notify("thermostat", json!("expected")).await;
    assert_eq!(source.next_notification().await.expect("it came").object, "expected");
}

#[tokio::test]
async fn what_came_instead_is_in_the_error() {
    let simulator = impatient().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let vain =
        async || source.expect_notification(|_| false).await.expect_err("none is expected").to_string();
    assert_eq!(
        vain().await,
        "waited 300ms in vain for a notification of `thermostat` as expected; none came"
    );

    client.notify("thermostat", json!({"number": 1})).await;
    source.wait_notifications(1).await.expect("it came");
    assert!(vain().await.ends_with(r#"as expected; one came instead: {"number":1}"#));

    for number in 2..=6 {
        client.notify("thermostat", json!({"number": number})).await;
    }
    client.notify("thermostat", json!("x".repeat(1_000))).await;
    source.wait_notifications(7).await.expect("they came");
    let error = source.expect_notification(|_| false).await.expect_err("none is expected");
    let SimulatorErrorKind::NoSuchNotification { source_name, skipped, last, after } = error.kind() else {
        panic!("{error}");
    };
    assert_eq!((source_name.as_str(), *skipped, last.len(), *after), ("thermostat", 6, 3, BRIEFLY));
    assert_eq!(last[..2], [r#"{"number":5}"#, r#"{"number":6}"#]);
    assert!(error.to_string().contains("6 came instead, in the end {\"number\":5}") && last[2].len() < 250);
}

#[tokio::test]
async fn rows_of_an_answer_and_an_error_instead_of_them() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let error = json!({"messageCode": "com.example.bad", "messageTemplate": "Bad {0}", "parameters": ["x"]});
    let answering = async {
        let query = client.next().await;
        client.answer(&query, 100, json!([1, 2])).await;
        client.answer(&query, 200, json!({"day": 3})).await;
        let query = client.next().await;
        client.answer(&query, 400, error).await;
        let query = client.next().await;
        client.answer(&query, 204, Value::Null).await;
    };
    let asking = async {
        let rows = source.query(json!({"days": 3})).rows().await.expect("rows");
        assert_eq!(rows, [json!(1), json!(2), json!({"day": 3})]);
        let error = source.query(json!({})).rows().await.expect_err("an error");
        assert!(matches!(error.kind(), SimulatorErrorKind::ErrorAnswer { status: 400, code: Some(code), .. }
            if code == "com.example.bad"));
        let none = source.query(json!({})).row().await.expect_err("no row");
        assert!(matches!(none.kind(), SimulatorErrorKind::NotOneRow { count: 0, .. }));
    };
    tokio::join!(answering, asking);
}
