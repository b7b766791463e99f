//! Scripts, done and failed.

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use vantiq_simulator::{Cut, Refusal, Scenario, ScenarioError, ScenarioErrorKind, Simulator, SimulatorError};

use crate::client::{Client, connect, simulator};

/// How long a scenario waits in vain.
const BRIEFLY: Duration = Duration::from_millis(300);

async fn impatient() -> Simulator {
    let builder = Simulator::builder().source("thermostat", json!({})).deadline(BRIEFLY);
    builder.start().await.expect("a free port")
}

/// Answers publishes with events and queries with rows, and attaches as often as it is told to, until the link ends.
async fn serve(mut client: Client) {
    while let Some(message) = client.try_next().await {
        match message["op"].as_str() {
            Some("publish") => client.notify("thermostat", json!({"accepted": message["object"]})).await,
            Some("query") if message["object"] == "bad" => {
                let error = json!({"messageCode": "com.example.bad", "messageTemplate": "Bad"});
                client.answer(&message, 400, error).await;
            }
            Some("query") => client.answer(&message, 200, json!([message["object"], 2])).await,
            Some("reconnectRequired") => client.send(connect("thermostat", Some("secret"))).await,
            None if message["status"] == 400 => client.send(connect("thermostat", Some("secret"))).await,
            _ => {}
        }
    }
}

async fn failure(scenario: Scenario, simulator: &Simulator) -> ScenarioError {
    scenario.run(simulator).await.expect_err("the scenario is not what the connector does")
}

#[tokio::test]
async fn a_scenario_is_done_step_by_step() {
    let simulator = simulator().await;
    let scenario = Scenario::of("thermostat")
        .attached()
        .publish(json!(21))
        .notification(json!({"accepted": 21}))
        .publish(json!("skipped"))
        .publish(json!(22))
        .notification_where("that of 22", |notification| notification.object["accepted"] == 22)
        .query(json!("good"))
        .answers_rows([json!("good"), json!(2)])
        .query(json!("bad"))
        .answers_error("com.example.bad")
        .query(json!("good"))
        .answers_where("two rows", |reply| reply.rows().len() == 2)
        .refuse(2, Refusal::NoAssociatedStream)
        .configure(json!({"unit": "kelvin"}))
        .attached_again()
        .cut(Cut::Abort)
        .attached_again();
    let connector = async {
        for _ in 0..2 {
            serve(Client::attached(&simulator, "thermostat").await).await;
        }
    };
    tokio::select! {
        done = scenario.run(&simulator) => done.expect("the connector does as expected"),
        () = connector => panic!("it was cut off once more"),
    }
    assert_eq!(simulator.source("thermostat").sessions(), 3);
}

#[tokio::test]
async fn a_failed_step_says_which_what_was_expected_and_what_came() {
    let simulator = impatient().await;
    let serving = tokio::spawn(serve(Client::attached(&simulator, "thermostat").await));
    let query = |object: &str| Scenario::of("thermostat").attached().query(object);
    let publish = || Scenario::of("thermostat").publish(json!(1));
    for (scenario, words) in [
        (
            query("good").answers_row(json!(3)),
            r#"step 2 of 2, `query "good"`: expected the row 3, but came 2 rows, "good", 2"#,
        ),
        (
            query("bad").answers_rows([json!(3)]),
            r#"step 2 of 2, `query "bad"`: expected the row 3, but came the error `com.example.bad` with status 400: Bad"#,
        ),
        (
            query("good").answers_error("com.example.bad"),
            r#"step 2 of 2, `query "good"`: expected the error `com.example.bad`, but came 2 rows, "good", 2"#,
        ),
        (
            query("good").answers_where("many rows", |reply| reply.rows().len() > 2).publish(json!(1)),
            r#"step 2 of 3, `query "good"`: expected many rows, but came 2 rows, "good", 2"#,
        ),
        (
            publish().notification(json!({"accepted": 2})),
            r#"step 2 of 2, `notification {"accepted":2}`: expected {"accepted":2}, but came {"accepted":1}"#,
        ),
        (
            publish().notification(json!({"accepted": 1})).notification(json!({"accepted": 1})),
            r#"step 3 of 3, `notification {"accepted":1}`: expected {"accepted":1}, but came none within 300ms"#,
        ),
    ] {
        assert_eq!(failure(scenario, &simulator).await.to_string(), words);
    }
    serving.abort();
}

#[tokio::test]
async fn what_does_not_come_about_has_the_simulators_error_as_its_cause() {
    let simulator = impatient().await;
    let cause = |error: &ScenarioError| {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<SimulatorError>());
        cause.expect("the simulator's error").to_string()
    };
    let error = failure(Scenario::of("thermostat").attached(), &simulator).await;
    assert_eq!(error.to_string(), "step 1 of 1, `attached`: it did not come about");
    assert_eq!((error.step(), error.words(), error.kind()), (1, "attached", &ScenarioErrorKind::Undone));
    assert_eq!(cause(&error), "waited 300ms in vain for the source `thermostat` to be attached");

    let error = failure(Scenario::of("thermostat").cut(Cut::Close), &simulator).await;
    assert_eq!(cause(&error), "no connector is attached to the source `thermostat`");

    let _client = Client::attached(&simulator, "thermostat").await;
    let is_expected = |_: &vantiq_simulator::Notification| true;
    let vain = Scenario::of("thermostat").notification_where("any", is_expected);
    assert!(cause(&failure(vain, &simulator).await).ends_with("none came"));
    let error = failure(Scenario::of("thermostat").attached().attached_again(), &simulator).await;
    assert_eq!((error.step(), error.words()), (2, "attached again"));
    // A configuration may hold secrets.
    let secret = Scenario::of("thermostat").configure(json!({"password": "hidden"})).attached_again();
    assert!(!failure(secret, &simulator).await.to_string().contains("hidden"));
}

#[tokio::test]
async fn a_scenario_ends_with_a_look_at_the_violations() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.send(json!({"op": "dance"})).await;
    assert_eq!(client.next().await["status"], 400);
    let error = failure(Scenario::of("thermostat").attached(), &simulator).await;
    assert!(matches!(error.kind(), ScenarioErrorKind::Violations(violations) if violations.len() == 1));
    assert_eq!(error.step(), 2);
    assert!(
        error.to_string().starts_with("after the last step: violations of the protocol: link 1"),
        "{error}"
    );
}
