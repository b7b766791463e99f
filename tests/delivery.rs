//! What the operator can say about acknowledgements, and events that expire. The server is written by hand.
#![forbid(unsafe_code)]

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use vantiq_connector::{AckProfile, Delivery, DeliveryError, ServerConfigBuilder, prelude::*};
use vantiq_connector_tests::{Connector, HandServer, Peer, Quiet, hasty, within};

/// Longer than any test takes: then every ping of the connector is one that looks for a quiet moment.
const NEVER: Duration = Duration::from_hours(1);

/// A connector attached to the server by hand, with no heartbeat, and settings as `settings` makes them.
async fn attached(
    settings: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
) -> (HandServer, Connector, Peer) {
    let server = HandServer::start().await;
    let connector =
        Connector::start_with(hasty::<Quiet>().heartbeat(NEVER, NEVER), settings(server.config()));
    let peer = server.attached().await;
    (server, connector, peer)
}

/// Notifies the numbers of a range, and has them arrive.
async fn notified(connector: &Connector, peer: &mut Peer, numbers: std::ops::Range<u32>) -> Vec<Receipt> {
    let mut receipts = Vec::new();
    for number in numbers {
        receipts.push(connector.source("a").notify(&number).await.unwrap());
        assert_eq!(peer.event().await, number);
    }
    receipts
}

#[tokio::test]
async fn whoever_knows_that_only_notifications_are_acknowledged_waits_for_no_quiet_moment() {
    let (server, connector, mut peer) =
        attached(|config| config.ack_profile(AckProfile::Notifications)).await;
    for number in 0..10 {
        let mut receipts = notified(&connector, &mut peer, number..number + 1).await;
        peer.acknowledge(1).await;
        // Read by the time the ping behind it is answered.
        assert_eq!(peer.heard().await, [] as [serde_json::Value; 0]);
        let receipt = receipts.pop().unwrap();
        assert_eq!(within(receipt).await, Ok(Delivery::Acknowledged));
        peer.ask(1).await;
    }
    server.hang_up(peer, connector).await;
}

#[tokio::test]
async fn whoever_knows_that_all_is_acknowledged_has_each_reply_counted_for_its_own() {
    let (server, connector, mut peer) = attached(|config| config.ack_profile(AckProfile::All)).await;
    let mut receipts = notified(&connector, &mut peer, 0..1).await;
    peer.ask(1).await;
    receipts.extend(notified(&connector, &mut peer, 1..2).await);
    // For `connectExtension`.
    peer.acknowledge(1).await;
    assert_eq!(peer.heard().await, [] as [serde_json::Value; 0]);
    assert!((&mut receipts[0]).now_or_never().is_none());
    peer.acknowledge(1).await;
    assert_eq!(within(&mut receipts[0]).await, Ok(Delivery::Acknowledged));
    // For the answer.
    peer.acknowledge(1).await;
    assert_eq!(peer.heard().await, [] as [serde_json::Value; 0]);
    assert!((&mut receipts[1]).now_or_never().is_none());
    peer.acknowledge(1).await;
    assert_eq!(within(&mut receipts[1]).await, Ok(Delivery::Acknowledged));
    server.hang_up(peer, connector).await;
}

#[tokio::test]
async fn whoever_knows_that_nothing_is_acknowledged_has_pongs_release_and_statuses_mean_nothing() {
    let (server, connector, mut peer) = attached(|config| config.ack_profile(AckProfile::None)).await;
    let mut receipts = notified(&connector, &mut peer, 0..1).await;
    peer.acknowledge(5).await;
    let delivery = peer.idle_until(&mut receipts[0]).await;
    assert_eq!(delivery, Ok(Delivery::Arrived));
    server.hang_up(peer, connector).await;
}

#[tokio::test]
async fn an_acknowledgement_that_names_its_event_is_taken_at_its_word() {
    let server = HandServer::start().await;
    let set = hasty::<Quiet>().heartbeat(NEVER, NEVER);
    let connector = Connector::start_with(set, server.config().request_ids(true));
    let mut peer = server.attached().await;
    let mut ids = Vec::new();
    let mut receipts = Vec::new();
    for number in 0..3 {
        receipts.push(connector.source("a").notify(&number).await.unwrap());
        let message = peer.receive().await;
        assert_eq!((&message["op"], &message["object"]), (&json!("notification"), &json!(number)));
        ids.push(message["parameters"]["requestId"].as_str().unwrap().to_owned());
    }
    let headers = |id: &str| json!({"X-Request-Id": id});
    let refusal = json!([{"code": "com.example.no", "message": "no"}]);
    peer.send(&json!({"status": 400, "headers": headers(&ids[1]), "body": refusal})).await;
    let refused = within(&mut receipts[1]).await;
    assert!(matches!(refused, Err(DeliveryError::Rejected(_))), "{refused:?}");
    // Bare ones answer something else from now on.
    peer.acknowledge(3).await;
    peer.send(&json!({"status": 200, "headers": headers(&ids[2])})).await;
    assert_eq!(within(&mut receipts[2]).await, Ok(Delivery::Acknowledged));
    assert!((&mut receipts[0]).now_or_never().is_none());
    peer.send(&json!({"status": 200, "headers": headers(&ids[0])})).await;
    assert_eq!(within(&mut receipts[0]).await, Ok(Delivery::Acknowledged));
    server.hang_up(peer, connector).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_sent_in_time_expires_and_the_others_are_sent() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let source = connector.source("a");
    // Nothing is sent before the configuration.
    let mut peer = server.attaching().await;
    let short = source.notify_within(Duration::from_millis(20), &"short").await.unwrap();
    let long = source.notify_within(NEVER, &"long").await.unwrap();
    let endless = source.notify(&"endless").await.unwrap();
    assert_eq!(within(short).await, Err(DeliveryError::Expired));
    peer.configure(json!({})).await;
    assert_eq!((peer.event().await, peer.event().await), (json!("long"), json!("endless")));
    // One of them may be for `connectExtension`.
    peer.acknowledge(3).await;
    assert_eq!(
        (within(long).await, within(endless).await),
        (Ok(Delivery::Acknowledged), Ok(Delivery::Acknowledged))
    );
    let counts = source.status().counts;
    assert_eq!((counts.notifications_expired, counts.notifications_delivered), (1, 2));
    server.hang_up(peer, connector).await;
}
