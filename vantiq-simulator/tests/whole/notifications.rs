//! Notifications and their acknowledgements (PROTOCOL sections 8 and 10).

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vantiq_simulator::{Acknowledge, FrameKind, Simulator, SimulatorErrorKind};

use crate::client::{Client, notification, simulator};

#[tokio::test]
async fn a_notification_is_recorded_and_acknowledged_by_a_bare_status() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let mut message = notification("thermostat", json!({"temp": 21}));
    message["parameters"] = json!({"requestId": "r1"});
    client.send(message).await;
    assert_eq!(client.next().await, json!({"status": 200}));

    let next = source.next_notification().await.expect("it has arrived");
    assert_eq!((next.number, next.object, next.request_id.as_deref()), (3, json!({"temp": 21}), Some("r1")));
    assert_eq!((source.notifications().len(), source.notification_count()), (1, 1));
    let received = simulator.received();
    assert_eq!(received.iter().map(|r| r.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        (received[2].op(), received[2].kind, received[2].link),
        (Some("notification"), FrameKind::Text, 1)
    );
}

#[tokio::test]
async fn request_ids_come_back_where_asked_to() {
    let builder = Simulator::builder().any_source(true).request_id_headers(true);
    let simulator = builder.start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    let mut message = notification("any", json!({}));
    message["parameters"] = json!({"requestId": "r1"});
    client.send(message).await;
    assert_eq!(client.next().await, json!({"status": 200, "headers": {"X-Request-Id": "r1"}}));
}

#[tokio::test]
async fn notifications_are_handed_out_once_and_in_order() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    for number in 0..3 {
        client.notify("thermostat", json!(number)).await;
    }
    let other = source.clone();
    for (handle, number) in [(&source, 0), (&other, 1), (&source, 2)] {
        assert_eq!(handle.next_notification().await.expect("it arrives").object, json!(number));
    }
}

#[tokio::test]
async fn waiting_for_a_notification_ends_at_the_deadline() {
    let builder = Simulator::builder().any_source(true).deadline(Duration::from_millis(20));
    let simulator = builder.start().await.expect("a free port");
    let error = simulator.source("any").next_notification().await.expect_err("nobody sends one");
    assert!(matches!(error.kind(), SimulatorErrorKind::Deadline { .. }));
    assert_eq!(error.to_string(), "waited 20ms in vain for a notification of `any`");
}

#[tokio::test]
async fn silence_an_error_or_a_delay_is_a_choice_per_source() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;

    source.acknowledge(Acknowledge::Nothing);
    client.notify("thermostat", json!("unanswered")).await;
    source.wait_notifications(1).await.expect("it is accepted");

    source.acknowledge(Acknowledge::Delayed(Duration::from_millis(30)));
    client.notify("thermostat", json!("late")).await;
    source.wait_notifications(2).await.expect("it is accepted");

    source.acknowledge(Acknowledge::WithError { status: 429, code: "c".into(), message: "m".into() });
    client.notify("thermostat", json!("refused")).await;

    assert_eq!(client.next().await, json!({"status": 200}), "the late one comes first all the same");
    let refused = client.next().await;
    assert_eq!((&refused["status"], &refused["body"][0]["code"]), (&json!(429), &json!("c")));
    assert_eq!(source.notifications().len(), 2, "what was refused does not count");
}

#[tokio::test]
async fn a_message_above_the_limit_is_answered_and_the_socket_survives() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    let frame = notification("thermostat", json!("x".repeat(262_144))).to_string();
    let size = frame.len();
    client.send_frame(Message::text(frame)).await;
    let error = client.next().await;
    assert_eq!(
        (&error["status"], &error["body"][0]["code"]),
        (&json!(500), &json!("io.vantiq.server.error"))
    );
    let message = format!(
        "Cannot process binary frame of size {size}, it would cause message buffer (size 0) to overflow max message size of 262144"
    );
    assert_eq!(error["body"][0]["message"], message);
    client.notify("thermostat", json!("small")).await;
    assert_eq!(client.next().await, json!({"status": 200}));
    assert_eq!(simulator.source("thermostat").notification_count(), 1);
}

#[tokio::test]
async fn a_notification_for_a_source_not_held_is_refused() {
    let simulator = simulator().await;
    let mut client = Client::validated(&simulator).await;
    client.notify("thermostat", json!({})).await;
    let message = client.next().await;
    let text = message["body"][0]["message"].as_str().expect("there is a message");
    assert!(text.contains("not recognized as an open EXTENSION session"), "{text}");
    assert_eq!(simulator.source("thermostat").notification_count(), 0);
}

#[tokio::test]
async fn unreadable_messages_and_unknown_operations_are_violations() {
    let simulator = simulator().await;
    let mut client = Client::attached(&simulator, "thermostat").await;
    client.send_frame(Message::text("Vantiq-Ping")).await;
    assert_eq!(client.next().await["status"], 400);
    client.send(json!({"op": "dance"})).await;
    assert_eq!(client.next().await["status"], 400);
    let violations = simulator.violations();
    assert!(violations[0].contains("cannot be read") && violations[1].contains("`dance`"), "{violations:?}");
    assert_eq!(simulator.received()[2].text, "Vantiq-Ping");
}
