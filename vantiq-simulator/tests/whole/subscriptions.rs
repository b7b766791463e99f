//! Who wants to hear of events (PROTOCOL section 11).

use serde_json::{Value, json};
use vantiq_simulator::Acknowledge;

use crate::client::{Client, notification, simulator};
use crate::rest_client::request;

fn subscribe(path: &str, request_id: &str) -> Value {
    json!({"op": "subscribe", "resourceName": "events", "resourceId": path, "parameters": {"requestId": request_id}})
}

#[tokio::test]
async fn a_subscriber_hears_of_what_a_connector_notifies() {
    let simulator = simulator().await;
    let mut subscriber = Client::validated(&simulator).await;
    subscriber.send(subscribe("/sources/thermostat", "mine")).await;
    let confirmed = subscriber.next().await;
    assert_eq!((&confirmed["status"], &confirmed["headers"]["X-Request-Id"]), (&json!(200), &json!("mine")));

    let mut connector = Client::attached(&simulator, "thermostat").await;
    for number in 0..100 {
        connector.send(notification("thermostat", json!({"number": number}))).await;
    }
    for number in 0..100 {
        let event = subscriber.next().await;
        assert_eq!((&event["status"], &event["headers"]["X-Request-Id"]), (&json!(100), &json!("mine")));
        assert_eq!(event["body"]["path"], "/sources/thermostat/receive");
        assert_eq!(event["body"]["value"], json!({"number": number}));
    }

    subscriber
        .send(json!({"op": "unsubscribe", "resourceName": "events", "resourceId": "/sources/thermostat"}))
        .await;
    assert_eq!(subscriber.next().await["body"]["op"], "unsubscribe");
    connector.send(notification("thermostat", json!("unheard"))).await;
    subscriber.send(subscribe("/sources/other", "other")).await;
    assert_eq!(subscriber.next().await["headers"]["X-Request-Id"], "other");
    assert!(simulator.violations().is_empty(), "{:?}", simulator.violations());
}

#[tokio::test]
async fn what_is_not_accepted_is_no_event() {
    let simulator = simulator().await;
    let refused = Acknowledge::WithError { status: 429, code: "c".into(), message: "m".into() };
    simulator.source("thermostat").acknowledge(refused);
    let mut subscriber = Client::validated(&simulator).await;
    subscriber.send(subscribe("/sources/thermostat", "mine")).await;
    assert_eq!(subscriber.next().await["status"], 200);
    let mut connector = Client::attached(&simulator, "thermostat").await;
    connector.send(notification("thermostat", json!(1))).await;
    assert_eq!(connector.next().await["status"], 429);
    simulator.source("thermostat").acknowledge(Acknowledge::NotificationsOnly);
    connector.send(notification("thermostat", json!(2))).await;
    assert_eq!(subscriber.next().await["body"]["value"], 2);
}

#[tokio::test]
async fn a_topic_is_published_to_by_rest_and_by_websocket() {
    let simulator = simulator().await;
    let mut subscriber = Client::validated(&simulator).await;
    subscriber.send(subscribe("/topics/a/b", "topic")).await;
    assert_eq!(subscriber.next().await["status"], 200);
    request(&simulator, "POST", "/api/v1/resources/topics//a/b")
        .body(json!({"by": "REST"}))
        .send()
        .await
        .ok();
    let event = subscriber.next().await;
    assert_eq!(
        (&event["body"]["path"], &event["body"]["value"]["by"]),
        (&json!("/topics/a/b/publish"), &json!("REST"))
    );

    let mut publisher = Client::validated(&simulator).await;
    publisher
        .send(json!({"op": "publish", "resourceName": "topics", "resourceId": "/a/b", "object": 7, "parameters": {"requestId": "r"}}))
        .await;
    assert_eq!(publisher.next().await, json!({"status": 200, "headers": {"X-Request-Id": "r"}}));
    assert_eq!(subscriber.next().await["body"]["value"], 7);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_holds_up_no_connector() {
    let simulator = simulator().await;
    let mut subscriber = Client::validated(&simulator).await;
    subscriber.send(subscribe("/sources/thermostat", "mine")).await;
    assert_eq!(subscriber.next().await["status"], 200);
    let mut connector = Client::attached(&simulator, "thermostat").await;
    let event = json!("x".repeat(10_000));
    // More than sockets and queue hold, 64 MB.
    for _ in 0..6_400 {
        connector.send(notification("thermostat", event.clone())).await;
        assert_eq!(connector.next().await["status"], 200);
    }
    assert_eq!(simulator.source("thermostat").notification_count(), 6_400);
}
