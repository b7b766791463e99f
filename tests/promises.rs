//! Promises of the runtime that are easily broken where several things happen at once, each with a test
//! that fails where it is broken. The server is written by hand, frame by frame.
#![forbid(unsafe_code)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use vantiq_connector::{
    AckProfile, ConnectorSetBuilder, Delivery, DeliveryError, QueryError, SourceState, prelude::*,
};
use vantiq_connector_tests::{
    Connector, Echo, Gate, HandServer, MemoryServer, Peer, Quiet, Wire, config_at, hasty, within,
};

/// Waits in each publish for the receipt of an event, and counts those it handled.
#[derive(VantiqSource)]
#[vantiq_source]
struct Receipts {
    source: Source,
    handled: Arc<watch::Sender<usize>>,
}

impl SourceHandler for Receipts {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        let handled = source.shared()?;
        Ok(Self { source, handled })
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.source.notify(&message).await?.await?;
        self.handled.send_modify(|handled| *handled += 1);
        Ok(())
    }
}

/// Never connects.
#[derive(VantiqSource)]
#[vantiq_source]
struct NeverConnects;

impl SourceHandler for NeverConnects {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        source.notify(&"connecting").await?;
        std::future::pending().await
    }
}

/// The code of an error that a query was answered with.
fn code(answer: &Value) -> &str {
    assert_ne!(answer["status"], 200, "{answer}");
    answer["body"]["messageCode"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// A publish that waits for its receipt kept the acknowledgement from being read, once publishes filled
/// their queue.
#[tokio::test]
async fn publishes_that_wait_for_receipts_are_all_handled_over_one_link() {
    const PUBLISHES: usize = 400;
    let server = HandServer::start().await;
    let handled = Arc::new(watch::Sender::new(0));
    let connector = server.connector(hasty::<Receipts>().shared_arc(Arc::clone(&handled)));
    let mut peer = server.attaching().await;
    peer.acknowledge(1).await;
    peer.configure(json!({})).await;
    for number in 0..PUBLISHES {
        peer.send(&json!({"op": "publish", "object": number})).await;
    }
    for number in 0..PUBLISHES {
        assert_eq!(peer.event().await, number);
        peer.acknowledge(1).await;
    }
    let mut all = handled.subscribe();
    within(all.wait_for(|handled| *handled == PUBLISHES)).await.unwrap();
    drop(all);
    server.hang_up(peer, connector).await;
}

/// Notifies 1 and acknowledges it, so that the server is known to acknowledge notifications.
async fn acknowledge_the_first(source: &Source, peer: &mut Peer) {
    let first = source.notify(&1).await.unwrap();
    assert_eq!(peer.event().await, 1);
    peer.acknowledge(1).await;
    assert_eq!(peer.idle_until(first).await, Ok(Delivery::Acknowledged));
}

/// P5. A server that acknowledges was taken for one that does not after a second of slowness; what it had
/// not acknowledged then counted as arrived and was lost with the link.
#[tokio::test]
async fn what_a_slow_server_did_not_acknowledge_is_sent_again() {
    let server = HandServer::start().await;
    // With no other heartbeat every ping looks for a quiet moment.
    let never = Duration::from_hours(1);
    let connector = server.connector(hasty::<Quiet>().heartbeat(never, never));
    let mut peer = server.attached().await;
    let source = connector.source("a");
    acknowledge_the_first(&source, &mut peer).await;
    let mut second = source.notify(&2).await.unwrap();
    assert_eq!(peer.event().await, 2);
    // The answer to the first proves to the connector that the notification has arrived. When the second
    // comes, the connector has judged the silence in between and begun anew.
    peer.pinged(2).await;
    assert!((&mut second).now_or_never().is_none(), "it is not acknowledged");
    drop(peer);
    let mut peer = server.attached().await;
    assert_eq!(peer.event().await, 2);
    // One more for `connectExtension`, so that nothing is in doubt.
    peer.acknowledge(2).await;
    assert_eq!(within(second).await, Ok(Delivery::Acknowledged));
    server.hang_up(peer, connector).await;
}

/// J1. While the server was slow to attach, its silence was taken to mean that it does not acknowledge
/// `connectExtension`; its late acknowledgement then released a notification.
#[tokio::test]
async fn a_late_acknowledgement_of_a_slow_attach_releases_no_notification() {
    const PINGS: usize = 15;
    let server = HandServer::start().await;
    let often = hasty::<Quiet>().heartbeat(Duration::from_millis(100), Duration::from_secs(20));
    let connector = server.connector(often);
    let mut receipt = connector.source("a").notify(&1).await.unwrap();
    let mut peer = server.attaching().await;
    // Half a second without messages, an answered ping and another half make a quiet moment; this is longer
    // by the connector's own clock.
    peer.pinged(PINGS).await;
    peer.configure(json!({})).await;
    assert_eq!(peer.event().await, 1);
    // That of `connectExtension`.
    peer.acknowledge(1).await;
    // Answered over the same link, so the acknowledgement has been read by then.
    peer.ask(1).await;
    assert!((&mut receipt).now_or_never().is_none());
    peer.acknowledge(1).await;
    assert_eq!(within(receipt).await, Ok(Delivery::Acknowledged));
    server.hang_up(peer, connector).await;
}

/// A query that came before the configuration had no deadline.
#[tokio::test]
async fn a_query_before_the_configuration_is_answered_at_its_deadline() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>().query_deadline(Duration::from_millis(200)));
    let mut peer = server.attaching().await;
    peer.query(1).await;
    let answer = peer.receive().await;
    assert_eq!((code(&answer), &answer["headers"]["X-Reply-Address"]), (QueryError::TIMEOUT, &json!("1")));
    // Answered once: the configuration brings no second answer.
    peer.configure(json!({})).await;
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    server.hang_up(peer, connector).await;
}

/// A query that came before the configuration went unanswered at a stop.
#[tokio::test]
async fn a_query_before_the_configuration_is_answered_at_a_stop() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attaching().await;
    peer.query(1).await;
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    let stopping = tokio::spawn(connector.stop());
    let answer = peer.receive().await;
    assert_eq!((code(&answer), &answer["headers"]["X-Reply-Address"]), (QueryError::CLOSING, &json!("1")));
    assert_eq!(peer.next().await, None);
    peer.until_closed().await;
    within(stopping).await.unwrap().unwrap();
}

/// Each configuration got its `connect`, one after the other, however old it was by then.
#[tokio::test]
async fn of_configurations_that_follow_one_another_only_the_last_gets_a_connect() {
    let server = HandServer::start().await;
    let gate = Gate::closed();
    let connector = server.connector(hasty::<Echo>().shared_arc(Arc::clone(&gate)));
    let mut peer = server.attaching().await;
    peer.configure(json!(1)).await;
    assert_eq!(peer.event().await, json!({"configured": 1}));
    peer.query("wait").await;
    assert_eq!(peer.event().await, json!({"waiting": "query"}));
    for number in 2..=4 {
        peer.configure(json!(number)).await;
    }
    assert_eq!(peer.heard().await, [] as [Value; 0], "the query is still running");
    gate.open(1);
    // The answer and the event may overtake each other.
    let (events, answers): (Vec<_>, Vec<_>) = [peer.receive().await, peer.receive().await]
        .into_iter()
        .partition(|message| message["op"] == "notification");
    let events: Vec<_> = events.iter().map(|event| &event["object"]).collect();
    assert_eq!(events, [&json!({"configured": 4})]);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["status"], 200);
    server.hang_up(peer, connector).await;
}

/// A query that waits for `connect` is answered even where that never ends.
#[tokio::test]
async fn a_query_that_waits_for_connect_is_answered_before_a_stop_closes_the_link() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<NeverConnects>().grace(Duration::from_millis(200)));
    let mut peer = server.attached().await;
    assert_eq!(peer.event().await, "connecting");
    // One more for `connectExtension`, so that nothing is in doubt.
    peer.acknowledge(2).await;
    peer.query(1).await;
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    let stopping = tokio::spawn(connector.stop());
    let answer = peer.receive().await;
    assert_eq!((code(&answer), &answer["headers"]["X-Reply-Address"]), (QueryError::CLOSING, &json!("1")));
    assert_eq!(peer.next().await, None);
    peer.until_closed().await;
    within(stopping).await.unwrap().unwrap();
}

/// Attaches, answers a query, and stops.
async fn serves_and_stops(set: ConnectorSetBuilder) -> Value {
    let server = HandServer::start().await;
    let connector = server.connector(set);
    let mut peer = server.attached().await;
    connector.connected("a").await;
    peer.query(1).await;
    let answer = peer.receive().await;
    let (stopped, ()) = tokio::join!(connector.stop(), peer.until_closed());
    stopped.unwrap();
    answer
}

/// Adding the longest duration to the present panicked, and so did a semaphore of so many permits.
#[tokio::test]
async fn the_largest_settings_serve_and_stop() {
    let (most, longest) = (usize::MAX, Duration::MAX);
    let set = ConnectorSet::builder()
        .source::<Quiet>()
        .max_queries(most)
        .query_deadline(longest)
        .bundle(most, longest)
        .publish_queue(most, most)
        .outbox(most, most)
        .window(most, most)
        .connect_deadline(longest)
        .grace(longest)
        .dial_deadline(longest)
        .step_deadline(longest)
        .heartbeat(longest, longest)
        .backoff(longest, longest)
        .max_handshakes(most);
    assert_eq!(serves_and_stops(set).await["status"], 200);
}

/// What is nothing counts as the least with which something can work.
#[tokio::test]
async fn bounds_of_zero_serve_and_stop() {
    let set = ConnectorSet::builder()
        .source::<Quiet>()
        .max_queries(0)
        .bundle(0, Duration::ZERO)
        .publish_queue(0, 0)
        .outbox(0, 0)
        .window(0, 0)
        .grace(Duration::ZERO)
        .backoff(Duration::ZERO, Duration::ZERO)
        .max_handshakes(0);
    assert_eq!(serves_and_stops(set).await["status"], 200);
}

/// A query without any time is answered, in time or not.
#[tokio::test]
async fn a_query_deadline_of_zero_serves_and_stops() {
    let set = ConnectorSet::builder().source::<Quiet>().query_deadline(Duration::ZERO);
    let answer = serves_and_stops(set).await;
    assert!(answer["status"] == 200 || code(&answer) == QueryError::TIMEOUT, "{answer}");
}

/// Nothing can be dialled in no time, but it can be tried, and stopped.
#[tokio::test]
async fn link_deadlines_of_zero_try_and_stop() {
    let server = HandServer::start().await;
    let zero = Duration::ZERO;
    let set = hasty::<Quiet>().dial_deadline(zero).step_deadline(zero).heartbeat(zero, zero);
    let connector = server.connector(set);
    connector.waiting("a", "").await;
    connector.stop().await.unwrap();
}

/// J1. The refusal of a notification was taken for that of the `connectExtension` sent after it. (Without a word from
/// the operator nobody can tell: see `attribution`.)
#[tokio::test]
async fn a_refused_notification_while_attaching_again_refuses_nothing_else() {
    let server = HandServer::start().await;
    let config = server.config().ack_profile(AckProfile::Notifications);
    let connector = Connector::start_with(hasty::<Quiet>(), config);
    let mut peer = server.attached().await;
    let source = connector.source("a");
    acknowledge_the_first(&source, &mut peer).await;
    let (second, third) = (source.notify(&2).await.unwrap(), source.notify(&3).await.unwrap());
    assert_eq!((peer.event().await, peer.event().await), (json!(2), json!(3)));
    peer.reconnect_required().await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
    peer.send(&json!({"status": 400, "body": [{"code": "com.example.no", "message": "no"}]})).await;
    peer.acknowledge(1).await;
    let second = within(second).await;
    assert!(matches!(second, Err(DeliveryError::Rejected(_))), "{second:?}");
    assert_eq!(within(third).await, Ok(Delivery::Acknowledged));
    assert_eq!(source.status().state, SourceState::Connecting, "it was not refused");
    peer.configure(json!({})).await;
    // The answer comes next: no other `connectExtension` was sent.
    peer.ask(1).await;
    server.hang_up(peer, connector).await;
}

/// Each `reconnectRequired` was answered at once, whatever was under way.
#[tokio::test]
async fn a_storm_of_reconnect_required_is_answered_four_times_a_second() {
    const STORM: usize = 1_000;
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let (began, mut attached) = (Instant::now(), 0);
    for _ in 0..STORM {
        peer.reconnect_required().await;
        for message in peer.arrived() {
            assert_eq!(message["op"], "connectExtension");
            attached += 1;
            peer.configure(json!({})).await;
        }
    }
    peer.reconnect_required().await;
    let last = peer.heard().await;
    let attached = attached + last.len() as u128;
    let allowed = 2 + began.elapsed().as_millis() / 250;
    assert!(attached <= allowed, "{attached} sent, {allowed} allowed");
    if last.is_empty() {
        // It was not forgotten.
        assert_eq!(peer.receive().await["op"], "connectExtension");
    }
    server.hang_up(peer, connector).await;
}

/// `reconnectRequired` while `connectExtension` is under way asks for nothing more.
#[tokio::test]
async fn reconnect_required_while_attaching_sends_no_second_connect_extension() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attaching().await;
    for _ in 0..1_000 {
        peer.reconnect_required().await;
    }
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    peer.configure(json!({})).await;
    peer.ask(1).await;
    server.hang_up(peer, connector).await;
}

/// Takes a minute for the first publish. Where that is asked for, it then awaits the receipt of an event.
#[derive(VantiqSource)]
#[vantiq_source]
struct Slow {
    source: Source,
    handled: Arc<watch::Sender<usize>>,
}

impl SourceHandler for Slow {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        let handled = source.shared()?;
        Ok(Self { source, handled })
    }

    async fn publish(&self, message: Value) -> Result<()> {
        let receipt = self.source.notify(&message).await?;
        match message.as_str() {
            Some("await") => drop(receipt.await),
            // Whoever holds a receipt may be waiting for it.
            _ => drop(receipt),
        }
        if message == "sleep" {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        self.handled.send_modify(|handled| *handled += 1);
        Ok(())
    }
}

/// More publishes than wait for a handler, and for room to do so: nothing more is read, acknowledgements neither.
const TOO_MANY: usize = 700;
/// How many of them find room.
const ROOM: usize = 256 + 256;

/// Sends [`TOO_MANY`] publishes, `first` before all others, and acknowledges all, over one link. Returns how many were
/// dropped when so many were handled.
async fn dropped_until_handled(first: &'static str, expected: usize) -> u64 {
    dropped_until(hasty::<Slow>(), first, expected).await
}

async fn dropped_until(set: ConnectorSetBuilder, first: &'static str, expected: usize) -> u64 {
    let server = MemoryServer::default();
    let (handled, mut watched) = watch::channel(0);
    let connector = server.connector(set.shared(handled), &["a"]);
    let serving = tokio::spawn(async move {
        let mut publishes = vec![json!(first); 1];
        publishes.resize(TOO_MANY, json!("other"));
        loop {
            let mut peer = server.attached().await;
            // Before any acknowledgement.
            for publish in publishes.drain(..) {
                peer.send(&json!({"op": "publish", "object": publish})).await;
            }
            let (_outgoing, incoming) = mpsc::unbounded_channel();
            let reply = |message: Value| (message["op"] == "notification").then(|| json!({"status": 200}));
            peer.serve(incoming, reply).await;
        }
    });
    let all = watched.wait_for(|handled| *handled >= expected);
    tokio::time::timeout(Duration::from_mins(10), all).await.expect("they are handled").unwrap();
    let counts = connector.source("a").status().counts;
    assert_eq!(counts.links, 1);
    serving.abort();
    counts.publishes_unhandled
}

/// The link was given up after 20 s, and with it the publishes that were not read yet.
#[tokio::test(start_paused = true)]
async fn a_slow_handler_behind_unread_acknowledgements_keeps_its_link() {
    assert_eq!(dropped_until_handled("sleep", TOO_MANY).await, 0);
}

/// The handler waits for an acknowledgement that is not read, because the handler makes no room.
#[tokio::test(start_paused = true)]
async fn a_handler_that_waits_for_what_is_not_read_is_freed() {
    let dropped = dropped_until_handled("await", ROOM).await;
    // What was not read, and found no room.
    assert!((1..=TOO_MANY - ROOM).contains(&usize::try_from(dropped).unwrap()), "{dropped}");
}

/// Never ends a publish, and outlives its links.
#[derive(VantiqSource)]
#[vantiq_source(persistent)]
struct Stuck;

impl SourceHandler for Stuck {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        // While its acknowledgement is awaited the link reads on.
        source.notify(&"never acknowledged").await?;
        Ok(Self)
    }

    async fn publish(&self, _: Value) -> Result<()> {
        std::future::pending().await
    }
}

/// Each link brought as many more as there was room for on it.
#[tokio::test(start_paused = true)]
async fn publishes_that_wait_do_not_grow_with_every_lost_link() {
    const LINKS: u64 = 10;
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Stuck>(), &["a"]);
    for _ in 0..LINKS {
        let mut peer = server.attached().await;
        assert_eq!(peer.event().await, "never acknowledged");
        for _ in 0..TOO_MANY {
            peer.send(&json!({"op": "publish"})).await;
        }
        // Now it has read whatever it will.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // Twice the bound; and on each link the one that finds no room.
    let taken = connector.source("a").status().counts.publishes;
    assert!((512..=512 + LINKS).contains(&taken), "{taken}");
}

/// A set that is never served resolved no receipt for as long as anybody held a handle of a source.
#[tokio::test]
async fn a_set_that_is_dropped_unserved_leaves_nobody_waiting() {
    let config = config_at("http://localhost", "token", &["a"]).build().unwrap();
    let set = ConnectorSet::builder().source::<Quiet>().config(config).build().unwrap();
    let source = set.handle().source("a").unwrap();
    let receipt = source.notify(&1).await.unwrap();
    drop(set);
    assert_eq!(within(receipt).await, Err(DeliveryError::Unknown));
    assert_eq!(source.status().state, SourceState::Closed);
    assert_eq!(source.status().counts.notifications_abandoned, 1);
}

/// Waits for room in an outbox of one event.
#[derive(VantiqSource)]
#[vantiq_source]
struct Full(Source);

impl SourceHandler for Full {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.0.notify(&message).await?;
        self.0.notify(&message).await?;
        Ok(())
    }
}

/// The call had its grace, 20 s, to wait for a server that was away.
#[tokio::test(start_paused = true)]
async fn a_stop_without_a_link_waits_for_no_room_in_the_outbox() {
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Full>().outbox(1, 1_000), &["a"]);
    let mut peer = server.attached().await;
    peer.send(&json!({"op": "publish"})).await;
    assert_eq!(peer.event().await, Value::Null);
    server.set_away(true);
    drop(peer);
    connector.waiting("a", "").await;
    let stopping = tokio::time::Instant::now();
    let abandoned = connector.stop().await.unwrap_err();
    assert_eq!(abandoned.exit_code(), 75);
    assert!(stopping.elapsed() < Duration::from_secs(1), "{:?}", stopping.elapsed());
}

/// It was lost, and the exit code said that nothing was.
#[tokio::test]
async fn a_publish_that_waits_for_the_configuration_counts_as_abandoned_at_a_stop() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attaching().await;
    peer.send(&json!({"op": "publish", "object": 1})).await;
    peer.heard().await;
    let source = connector.source("a");
    let (stopped, ()) = tokio::join!(connector.stop(), peer.until_closed());
    assert_eq!(stopped.unwrap_err().exit_code(), 75);
    assert_eq!(source.status().counts.publishes_abandoned, 1);
}

/// What waits for the handler of the last session took the room of what came before the next configuration.
#[tokio::test(start_paused = true)]
async fn publishes_before_a_configuration_have_room_of_their_own() {
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Stuck>().publish_queue(4, 1_000), &["a"]);
    let mut peer = server.attached().await;
    assert_eq!(peer.event().await, "never acknowledged");
    tokio::time::sleep(Duration::from_secs(1)).await;
    for publishes in [6, 4] {
        for _ in 0..publishes {
            peer.send(&json!({"op": "publish"})).await;
        }
        if publishes == 6 {
            peer.reconnect_required().await;
            assert_eq!(peer.receive().await["op"], "connectExtension");
        }
    }
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.publishes, counts.publishes_unhandled), (10, 0));
}

/// Handles its first publish for ever, and answers queries.
#[derive(VantiqSource)]
#[vantiq_source]
struct Busy;

impl SourceHandler for Busy {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn publish(&self, _: Value) -> Result<()> {
        std::future::pending().await
    }

    async fn query(&self, _: Value, _: &mut Rows) -> Result<Answer> {
        Ok(Answer::empty())
    }
}

/// Nothing was read any more once the queue was full, though no publish waited without room.
#[tokio::test(start_paused = true)]
async fn a_publish_that_is_handled_holds_up_no_query_whatever_the_queue() {
    let server = MemoryServer::default();
    let _connector = server.connector(hasty::<Busy>().publish_queue(1, 1_000), &["a"]);
    let mut peer = server.attached().await;
    peer.acknowledge(1).await; // For `connectExtension`: nothing is awaited that would have the link read on.
    peer.send(&json!({"op": "publish"})).await;
    peer.heard().await;
    peer.query(1).await;
    assert_eq!(peer.receive().await["status"], 204);
}

/// Larger than what is on its way at once.
const LARGE_ANSWERS: usize = 5;

/// A connector that has answered queries at length to a server that does not read.
async fn unread_answers() -> (Connector, Peer<Wire>) {
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Quiet>(), &["a"]);
    let mut peer = server.attached().await;
    for number in 0..LARGE_ANSWERS {
        let headers = json!({"REPLY_ADDR_HEADER": number.to_string()});
        peer.send(&json!({"op": "query", "messageHeaders": headers, "object": "x".repeat(60_000)})).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    (connector, peer)
}

/// The answers were thrown away, and the exit code said that nothing was.
#[tokio::test(start_paused = true)]
async fn answers_that_cannot_be_sent_any_more_count_as_abandoned() {
    let (connector, peer) = unread_answers().await;
    let source = connector.source("a");
    assert_eq!(connector.stop().await.unwrap_err().exit_code(), 75);
    let abandoned = source.status().counts.queries_abandoned;
    assert!((1..=LARGE_ANSWERS as u64).contains(&abandoned), "{abandoned}");
    drop(peer);
}

/// They had 2 s behind the close frame.
#[tokio::test(start_paused = true)]
async fn answers_have_as_much_time_as_all_else_at_a_stop() {
    let (connector, mut peer) = unread_answers().await;
    let stopping = tokio::spawn(connector.stop());
    tokio::time::sleep(Duration::from_secs(10)).await;
    for number in 0..LARGE_ANSWERS {
        assert_eq!(peer.receive().await["headers"]["X-Reply-Address"], number.to_string());
    }
    peer.until_closed().await;
    stopping.await.unwrap().unwrap();
}

/// Tries again and again to notify what is published.
#[derive(VantiqSource)]
#[vantiq_source]
struct Trying {
    source: Source,
    handled: Arc<watch::Sender<usize>>,
}

impl SourceHandler for Trying {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        let handled = source.shared()?;
        Ok(Self { source, handled })
    }

    async fn publish(&self, message: Value) -> Result<()> {
        // More than there is room for, though not for less.
        for _ in 0..3 {
            while self.source.try_notify(&json!([message, "x".repeat(300)])).is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        self.handled.send_modify(|handled| *handled += 1);
        Ok(())
    }
}

/// Its tries were not taken for waiting, and it waited for ever.
#[tokio::test(start_paused = true)]
async fn a_handler_that_tries_for_what_is_not_read_is_freed() {
    let set = hasty::<Trying>().outbox(100, 1_000);
    assert!(dropped_until(set, "first", 1).await > 0);
}

/// They were given up at once, though the configuration was under way.
#[tokio::test(start_paused = true)]
async fn a_stop_while_the_source_attaches_delivers_what_waits() {
    let server = MemoryServer::default();
    let connector = server.connector(hasty::<Quiet>(), &["a"]);
    let mut peer = Peer::attaching(within(server.accept()).await).await;
    let receipt = connector.source("a").notify(&1).await.unwrap();
    let stopping = tokio::spawn(connector.stop());
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    peer.configure(json!({})).await;
    assert_eq!(peer.event().await, 1);
    // For `connectExtension`, too.
    peer.acknowledge(2).await;
    assert_eq!(peer.idle_until(receipt).await, Ok(Delivery::Acknowledged));
    peer.until_closed().await;
    stopping.await.unwrap().unwrap();
}
