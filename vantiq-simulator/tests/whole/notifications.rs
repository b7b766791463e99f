//! Notifications and their acknowledgements (PROTOCOL sections 8 and 10).

use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use vantiq_simulator::{Acknowledge, EventPredicate, FrameKind, Simulator, SimulatorErrorKind, Source};

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
    assert_eq!((next.number, next.object, next.request_id.as_deref()), (5, json!({"temp": 21}), Some("r1")));
    assert_eq!((source.notifications().len(), source.notification_count()), (1, 1));
    let received = simulator.received();
    // The answers to them have numbers, too.
    assert_eq!(received.iter().map(|r| r.number).collect::<Vec<_>>(), [1, 3, 5]);
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
async fn every_nth_acknowledgement_is_left_out() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.acknowledge(Acknowledge::OmittedEvery(3));
    notify_all(&mut client, 1..=7).await;
    assert_eq!(statuses(&mut client, 5).await, [200; 5]);
    source.wait_notifications(7).await.expect("all are accepted");
    assert_eq!(acknowledged(&source), [1, 2, 4, 5, 7]);
    assert!(source.notifications().iter().all(|notification| notification.link == 1));
}

#[tokio::test]
async fn one_status_may_stand_for_several_notifications() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.acknowledge(Acknowledge::Merged(3));
    notify_all(&mut client, 1..=7).await;
    assert_eq!(statuses(&mut client, 2).await, [200; 2]);
    source.wait_notifications(7).await.expect("all are accepted");
    assert_eq!(acknowledged(&source), [1, 2, 3, 4, 5, 6]);

    source.acknowledge(Acknowledge::NotificationsOnly);
    notify_all(&mut client, 8..=8).await;
    assert_eq!(client.next().await, json!({"status": 200}), "the seventh remains unanswered");
    assert_eq!(acknowledged(&source), [1, 2, 3, 4, 5, 6, 8]);
}

#[tokio::test]
async fn a_merged_status_with_a_request_id_speaks_for_that_notification_alone() {
    let builder = Simulator::builder().any_source(true).request_id_headers(true);
    let simulator = builder.acknowledge(Acknowledge::Merged(2)).start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    for number in 1..=2 {
        let mut message = notification("any", number);
        message["parameters"] = json!({"requestId": format!("r{number}")});
        client.send(message).await;
    }
    assert_eq!(client.next().await, json!({"status": 200, "headers": {"X-Request-Id": "r2"}}));
    assert_eq!(acknowledged(&simulator.source("any")), [2]);
}

#[tokio::test]
async fn some_notifications_are_refused_by_count_or_by_content() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    let (status, code, message) = (429, "c".to_owned(), "m".to_owned());
    source.acknowledge(Acknowledge::WithErrorEvery {
        every: 2,
        status,
        code: code.clone(),
        message: message.clone(),
    });
    notify_all(&mut client, 1..=4).await;
    assert_eq!(statuses(&mut client, 4).await, [200, 429, 200, 429]);

    let refused = EventPredicate::new(|event| event == 6);
    source.acknowledge(Acknowledge::WithErrorWhere { refused, status, code, message });
    notify_all(&mut client, 5..=7).await;
    assert_eq!(statuses(&mut client, 3).await, [200, 429, 200]);
    assert_eq!(acknowledged(&source), [1, 3, 5, 7]);
    assert_eq!(source.notification_count(), 4, "what was refused does not count");
}

#[tokio::test]
async fn a_delayed_acknowledgement_is_not_noted_before_it_is_sent() {
    let simulator = simulator().await;
    let source = simulator.source("thermostat");
    let mut client = Client::attached(&simulator, "thermostat").await;
    source.acknowledge(Acknowledge::Delayed(Duration::from_hours(1)));
    notify_all(&mut client, 1..=1).await;
    source.wait_notifications(1).await.expect("it is accepted");
    assert_eq!(acknowledged(&source), [0; 0]);
}

async fn notify_all(client: &mut Client, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        client.notify("thermostat", json!(number)).await;
    }
}

async fn statuses(client: &mut Client, number: usize) -> Vec<u64> {
    let mut statuses = Vec::new();
    while statuses.len() < number {
        statuses.push(client.next().await["status"].as_u64().expect("an acknowledgement"));
    }
    statuses
}

/// The events that are noted as acknowledged.
fn acknowledged(source: &Source) -> Vec<u64> {
    let notifications = source.notifications().into_iter();
    let acknowledged = notifications.filter(|notification| notification.acknowledged);
    acknowledged.map(|notification| notification.object.as_u64().expect("a number")).collect()
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

#[tokio::test]
async fn a_server_may_want_objects() {
    let simulator =
        Simulator::builder().any_source(true).only_objects(true).start().await.expect("a free port");
    let mut client = Client::attached(&simulator, "any").await;
    for (event, status) in [(json!([1]), 400), (json!("text"), 400), (json!({}), 200)] {
        client.notify("any", event).await;
        assert_eq!(client.next().await["status"], status);
    }
    assert_eq!(simulator.source("any").notification_count(), 1);
}
