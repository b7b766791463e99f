//! Acknowledgements that do not say what they acknowledge, at moments when they are easily taken for another's. The
//! server is written by hand and the clock is paused.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use vantiq_connector::{AckProfile, Delivery, DeliveryError, Receipt, ServerConfigBuilder};
use vantiq_connector_tests::{Connector, MemoryServer, Peer, Quiet, Wire, config_at, hasty, within};

/// Longer than a session has to last before the server may ask for another one at once.
const A_WHILE: Duration = Duration::from_millis(400);

/// A connector that the server by hand has yet to attach, with settings as `settings` makes them.
async fn attaching(
    server: &MemoryServer,
    settings: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
) -> (Connector, Peer<Wire>) {
    let config = settings(config_at("http://in-memory", "token", &["a"]));
    let connector = Connector::start_with(server.dialled_by(hasty::<Quiet>()), config);
    (connector, Peer::attaching(within(server.accept()).await).await)
}

async fn attached(
    server: &MemoryServer,
    settings: impl FnOnce(ServerConfigBuilder) -> ServerConfigBuilder,
) -> (Connector, Peer<Wire>) {
    let (connector, mut peer) = attaching(server, settings).await;
    peer.configure(json!({})).await;
    connector.connected("a").await;
    (connector, peer)
}

/// Attaches anew up to the `connectExtension`, which waits for an answer then.
async fn attach_again(peer: &mut Peer<Wire>) {
    sleep(A_WHILE).await;
    peer.reconnect_required().await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
}

/// Notifies so many numbers, and has them arrive.
async fn notified<const N: usize>(connector: &Connector, peer: &mut Peer<Wire>) -> [Receipt; N] {
    let mut receipts = Vec::new();
    for number in 0..N {
        receipts.push(connector.source("a").notify(&number).await.unwrap());
        assert_eq!(peer.event().await, number);
    }
    receipts.try_into().unwrap()
}

/// Refuses `connectExtension`, or an event.
async fn refuse(peer: &mut Peer<Wire>, status: u16) {
    peer.send(&json!({"status": status, "body": [{"code": "test.refused", "message": "no"}]})).await;
}

async fn outcome(mut peer: Peer<Wire>, receipt: Receipt) -> Result<Delivery, DeliveryError> {
    peer.idle_until(receipt).await
}

/// The refusal was not told to the ledger, and each later reply went to the wrong event.
#[tokio::test(start_paused = true)]
async fn a_refused_source_has_had_its_reply() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attaching(&server, |config| config.ack_profile(AckProfile::All)).await;
    refuse(&mut peer, 400).await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
    peer.acknowledge(1).await;
    peer.configure(json!({})).await;
    let [first, second, third] = notified(&connector, &mut peer).await;
    peer.acknowledge(1).await;
    refuse(&mut peer, 429).await;
    peer.acknowledge(1).await;
    assert_eq!(within(first).await, Ok(Delivery::Acknowledged));
    assert!(matches!(within(second).await, Err(DeliveryError::Rejected(_))));
    assert_eq!(within(third).await, Ok(Delivery::Acknowledged));
}

/// It was taken for the reply to the event, and nothing happened for 10 s.
#[tokio::test(start_paused = true)]
async fn a_bare_refusal_refuses_the_source_where_events_are_named() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config.request_ids(true)).await;
    let source = connector.source("a");
    let receipt = source.notify(&1).await.unwrap();
    let id = peer.receive().await["parameters"]["requestId"].clone();
    peer.send(&json!({"status": 200, "headers": {"X-Request-Id": id}})).await;
    assert_eq!(within(receipt).await, Ok(Delivery::Acknowledged));
    let [_open] = notified(&connector, &mut peer).await;
    attach_again(&mut peer).await;
    refuse(&mut peer, 400).await;
    let refused = Instant::now();
    assert_eq!(peer.receive().await["op"], "connectExtension");
    assert!(refused.elapsed() <= Duration::from_secs(1), "{:?}", refused.elapsed());
}

/// Its acknowledgement is lost, or never was to come, and then the source is refused. That the event is refused,
/// too, would be a lie.
#[tokio::test(start_paused = true)]
async fn a_refused_source_refuses_no_event_and_keeps_its_link() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config).await;
    let [receipt] = notified(&connector, &mut peer).await;
    attach_again(&mut peer).await;
    refuse(&mut peer, 400).await;
    let refused = Instant::now();
    assert_eq!(peer.receive().await["op"], "connectExtension");
    assert!(refused.elapsed() <= Duration::from_secs(1), "{:?}", refused.elapsed());
    peer.configure(json!({})).await;
    assert_eq!(outcome(peer, receipt).await, Ok(Delivery::Arrived));
}

/// The refusal was taken for that of the source, and the two acknowledgements for those of the two events.
#[tokio::test(start_paused = true)]
async fn an_event_that_may_have_been_refused_never_counts_as_acknowledged() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config).await;
    let receipts: [_; 2] = notified(&connector, &mut peer).await;
    attach_again(&mut peer).await;
    // To the events, and to `connectExtension`.
    refuse(&mut peer, 429).await;
    peer.acknowledge(2).await;
    peer.configure(json!({})).await;
    for receipt in receipts {
        assert_eq!(peer.idle_until(receipt).await, Ok(Delivery::Arrived));
    }
    // Afterwards all is as before.
    let [refused, accepted] = notified(&connector, &mut peer).await;
    refuse(&mut peer, 429).await;
    peer.acknowledge(1).await;
    assert!(matches!(within(refused).await, Err(DeliveryError::Rejected(_))));
    assert_eq!(outcome(peer, accepted).await, Ok(Delivery::Acknowledged));
}

/// While events went on there was no quiet moment, and no receipt before the window was full.
#[tokio::test(start_paused = true)]
async fn doubts_are_cleared_up_though_events_go_on() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config).await;
    let [receipt] = notified(&connector, &mut peer).await;
    attach_again(&mut peer).await;
    refuse(&mut peer, 400).await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
    peer.configure(json!({})).await;
    let source = connector.source("a");
    let events = async {
        loop {
            source.notify(&1).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    let server = async {
        loop {
            peer.event().await;
            peer.acknowledge(1).await;
        }
    };
    let began = Instant::now();
    tokio::select! {
        outcome = receipt => assert_eq!(outcome, Ok(Delivery::Arrived)),
        () = events => {}
        () = server => {}
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Each answer made the link look busy: the receipt waited for ever, and each answer took a place in memory.
#[tokio::test(start_paused = true)]
async fn a_server_that_acknowledges_nothing_is_found_out_though_queries_go_on() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config).await;
    let [receipt] = notified(&connector, &mut peer).await;
    let mut answers = 0;
    let queries = async {
        loop {
            peer.ask(1).await;
            answers += 1;
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        outcome = receipt => assert_eq!(outcome, Ok(Delivery::Arrived)),
        () = queries => {}
        () = sleep(Duration::from_mins(5)) => panic!("no receipt"),
    }
    assert!(answers < 11_000, "{answers}");
}

/// The connector gave the link up with the answer that it held back to find out.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_held_back_goes_out_before_the_link_is_given_up() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config).await;
    let [receipt] = notified(&connector, &mut peer).await;
    peer.acknowledge(1).await;
    assert!(peer.idle_until(receipt).await.is_ok());
    let [_receipt] = notified(&connector, &mut peer).await;
    attach_again(&mut peer).await;
    // It may be that of the event, whose own acknowledgement never comes.
    refuse(&mut peer, 400).await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
    peer.configure(json!({})).await;
    connector.connected("a").await;
    peer.query(7).await;
    assert_eq!(peer.receive().await["body"], 7);
    peer.until_closed().await;
}

/// It was taken for the refusal of the source.
#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_an_event_is_the_events_while_the_source_attaches() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config.request_ids(true)).await;
    let receipt = connector.source("a").notify(&1).await.unwrap();
    let id = peer.receive().await["parameters"]["requestId"].clone();
    attach_again(&mut peer).await;
    let refusal = json!([{"code": "test.refused", "message": "no"}]);
    peer.send(&json!({"status": 400, "headers": {"X-Request-Id": id}, "body": refusal})).await;
    peer.configure(json!({})).await;
    assert!(matches!(outcome(peer, receipt).await, Err(DeliveryError::Rejected(_))));
}

#[tokio::test(start_paused = true)]
async fn without_pings_silence_is_no_acknowledgement() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config.send_pings(false)).await;
    let [receipt] = notified(&connector, &mut peer).await;
    // The one to `connectExtension`. The event's own is held up by the network.
    peer.acknowledge(1).await;
    assert_eq!(within(receipt).await, Ok(Delivery::Sent));
    // What is found out that way is still no more than a guess.
    let [receipt] = notified(&connector, &mut peer).await;
    peer.acknowledge(1).await;
    assert_eq!(outcome(peer, receipt).await, Ok(Delivery::Sent));
}

#[tokio::test(start_paused = true)]
async fn without_pings_acknowledgements_that_leave_no_doubt_are_believed() {
    let server = MemoryServer::default();
    let (connector, mut peer) = attached(&server, |config| config.send_pings(false)).await;
    let [receipt] = notified(&connector, &mut peer).await;
    peer.acknowledge(2).await;
    assert_eq!(outcome(peer, receipt).await, Ok(Delivery::Acknowledged));
}

/// Where it is known what is acknowledged, no pings are needed.
#[tokio::test(start_paused = true)]
async fn without_pings_a_refusal_is_told_where_there_is_no_doubt() {
    let server = MemoryServer::default();
    let settings =
        |config: ServerConfigBuilder| config.send_pings(false).ack_profile(AckProfile::Notifications);
    let (connector, mut peer) = attached(&server, settings).await;
    for _ in 0..3 {
        let [receipt] = notified(&connector, &mut peer).await;
        refuse(&mut peer, 429).await;
        let outcome = peer.idle_until(receipt).await;
        assert!(matches!(outcome, Err(DeliveryError::Rejected(_))), "{outcome:?}");
    }
}
