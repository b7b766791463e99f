//! What an administrator does to a source (PROTOCOL sections 6 and 9).

use std::time::Duration;

use serde_json::json;
use vantiq_simulator::{Acknowledge, Refusal, SimulatorErrorKind};

use crate::client::{Client, connect, notification, simulator};

#[tokio::test]
async fn a_new_configuration_is_fetched_after_reconnect_required() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.configure(json!({"unit": "kelvin"})).await.expect("it is attached");
    let message = client.next().await;
    assert_eq!(
        message,
        json!({"op": "reconnectRequired", "resourceName": "sources", "resourceId": "thermostat"})
    );
    assert!(!source.is_attached());
    assert!(source.publish(json!({})).await.is_err(), "between sessions there is nobody to publish to");
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["object"], json!({"config": {"unit": "kelvin"}}));
    source.wait_sessions(2).await.expect("it is attached again");
}

#[tokio::test]
async fn notifications_are_still_accepted_after_reconnect_required() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.reconnect_required().await.expect("it is attached");
    assert_eq!(client.next().await["op"], "reconnectRequired");
    client.send(notification("thermostat", json!("on its way"))).await;
    assert_eq!(client.next().await, json!({"status": 200}));
}

#[tokio::test]
async fn a_configuration_can_come_unasked() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.configure_now(json!({"unit": "kelvin"})).await.expect("it is attached");
    let message = client.next().await;
    assert_eq!(
        (&message["op"], &message["object"]["config"]["unit"]),
        (&json!("configureExtension"), &json!("kelvin"))
    );
    assert_eq!(source.sessions(), 1, "nobody has connected anew");
}

#[tokio::test]
async fn a_silent_server_can_find_its_voice() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    source.refuse(Refusal::Silent);
    let mut client = Client::validated(&simulator).await;
    client.send(connect("thermostat", None)).await;
    simulator.wait_for("the request", |simulator| simulator.received().len() == 2).await.expect("it comes");
    assert!(!source.is_attached());
    source.send_raw(r#"{"op":"publish","object":"too early"}"#).await.expect("the applicant can be reached");
    assert_eq!(client.next().await["object"], "too early");
    source.configure_now(json!({})).await.expect("the applicant can be reached");
    assert_eq!(client.next().await["op"], "configureExtension");
    source.wait_attached().await.expect("now it is attached");
}

#[tokio::test]
async fn a_removed_source_is_refused_until_it_is_created_again() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.remove().await.expect("it is attached");
    assert_eq!(client.next().await["op"], "reconnectRequired");
    client.send(connect("thermostat", Some("secret"))).await;
    let message = client.next().await;
    assert!(message["body"][0]["message"].as_str().is_some_and(|text| text.contains("does not exist")));
    source.configure(json!({})).await.expect("nobody needs to be attached");
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["op"], "configureExtension");
}

#[tokio::test]
async fn faults_and_counts_go_with_their_source() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.acknowledge(Acknowledge::Nothing);
    client.notify("thermostat", json!(1)).await;
    source.wait_notifications(1).await.expect("it comes");
    source.refuse(Refusal::NoAssociatedStream);
    source.slow_down(Duration::from_hours(1)).expect("there is a link");
    source.remove().await.expect("it is attached");
    assert_eq!(client.next().await["op"], "reconnectRequired", "it is not held up");

    source.configure(json!({})).await.expect("nobody needs to be attached");
    assert_eq!((source.sessions(), source.notification_count()), (0, 0));
    client.send(connect("thermostat", Some("secret"))).await;
    assert_eq!(client.next().await["op"], "configureExtension");
    client.notify("thermostat", json!(2)).await;
    assert_eq!(client.next().await["status"], 200);
    assert_eq!((source.sessions(), source.notification_count()), (1, 1));
    assert_eq!(source.notifications().len(), 2, "what is recorded stays");
}

#[tokio::test]
async fn what_a_source_is_to_do_can_be_said_before_it_exists() {
    let simulator = simulator().await;
    let mut client = Client::validated(&simulator).await;
    for name in ["thermostat", "new"] {
        let source = simulator.source(name);
        source.remove().await.expect("nobody needs to be attached");
        source.refuse_times(1, Refusal::NoAssociatedStream);
        source.configure(json!({})).await.expect("nobody needs to be attached");
        client.send(connect(name, Some("secret"))).await;
        assert_eq!(client.next().await["status"], 400, "{name}");
        client.send(connect(name, Some("secret"))).await;
        assert_eq!(client.next().await["op"], "configureExtension", "{name}");
    }
}

#[tokio::test]
async fn reconnect_required_needs_a_session() {
    let simulator = simulator().await;
    let error = simulator.source("thermostat").reconnect_required().await.expect_err("nobody is attached");
    assert!(matches!(error.kind(), SimulatorErrorKind::NoSession { .. }));
}
