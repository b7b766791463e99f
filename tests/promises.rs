//! Promises of the runtime that are easily broken where several things happen at once, each with a test
//! that fails where it is broken. The server is written by hand, frame by frame.
#![forbid(unsafe_code)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::sleep,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};
use vantiq_connector::{ConnectorSetBuilder, Delivery, DeliveryError, QueryError, SourceState, prelude::*};
use vantiq_connector_tests::{Connector, within};

/// Answers queries with themselves.
#[derive(VantiqSource)]
#[vantiq_source]
struct Quiet;

impl SourceHandler for Quiet {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row(&query)
    }
}

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

/// Notifies each `connect`, and `"waiting"` from each query, which ends when the gate is opened for it.
#[derive(VantiqSource)]
#[vantiq_source]
struct Gated {
    source: Source,
    gate: Arc<Semaphore>,
}

impl SourceHandler for Gated {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        source.notify(&json!({"connect": config})).await?;
        let gate = source.shared()?;
        Ok(Self { source, gate })
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        self.source.notify(&"waiting").await?;
        self.gate.acquire().await?.forget();
        Answer::row(&query)
    }
}

/// Takes nearly its whole grace to connect; its queries never end.
#[derive(VantiqSource)]
#[vantiq_source]
struct SlowToConnect;

const GRACE: Duration = Duration::from_secs(2);

impl SourceHandler for SlowToConnect {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        source.notify(&"connecting").await?;
        source.cancelled().await;
        // The slowness of what it connects to.
        sleep(GRACE.mul_f64(0.9)).await;
        Ok(Self)
    }

    async fn query(&self, _: Value, _: &mut Rows) -> Result<Answer> {
        std::future::pending().await
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

/// A set of `H` that dials again without much delay.
fn hasty<H: SourceHandler>() -> ConnectorSetBuilder {
    ConnectorSet::builder().source::<H>().backoff(Duration::from_millis(10), Duration::from_millis(100))
}

/// A server of which the test writes every frame.
struct Server(TcpListener);

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    /// Runs `set` for the source `a` of this server.
    fn connector(&self, set: ConnectorSetBuilder) -> Connector {
        let config = ServerConfig::builder()
            .target_server(format!("http://{}", self.0.local_addr().unwrap()))
            .auth_token("token")
            .source("a")
            .set("tcpProbePort", "0")
            .set("proxy", "none");
        Connector::start_with(set, config)
    }

    /// The next link, after its `connectExtension`.
    async fn attaching(&self) -> Peer {
        let (tcp, _) = within(self.0.accept()).await.unwrap();
        let mut peer = Peer(within(accept_async(tcp)).await.unwrap());
        assert_eq!(peer.receive().await["op"], "validate");
        peer.send(&json!({"status": 200, "body": {"userInfo": {}}})).await;
        assert_eq!(peer.receive().await["op"], "connectExtension");
        peer
    }

    /// The next link, after its configuration.
    async fn attached(&self) -> Peer {
        let mut peer = self.attaching().await;
        peer.configure(json!({})).await;
        peer
    }
}

/// The server's end of a link.
struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn send(&mut self, message: &Value) {
        within(self.0.send(Message::text(message.to_string()))).await.unwrap();
    }

    async fn acknowledge(&mut self) {
        self.send(&json!({"status": 200})).await;
    }

    async fn configure(&mut self, config: Value) {
        self.send(&json!({"op": "configureExtension", "object": {"config": config}})).await;
    }

    async fn query(&mut self, number: usize) {
        let headers = json!({"REPLY_ADDR_HEADER": number.to_string()});
        self.send(&json!({"op": "query", "messageHeaders": headers, "object": number})).await;
    }

    async fn reconnect_required(&mut self) {
        self.send(&json!({"op": "reconnectRequired"})).await;
    }

    /// The next frame of the connector that is neither ping nor pong; `None` for a close frame.
    async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_))) => return None,
                    other => panic!("{other:?}"),
                }
            }
        };
        within(next).await
    }

    /// The next message of the connector.
    async fn receive(&mut self) -> Value {
        self.next().await.expect("the connector does not close the link yet")
    }

    /// The next message of the connector, which is an event.
    async fn event(&mut self) -> Value {
        let message = self.receive().await;
        assert_eq!(message["op"], "notification", "{message}");
        message["object"].clone()
    }

    /// Waits until the connector has read all that was sent. Returns what it sent meanwhile.
    async fn heard(&mut self) -> Vec<Value> {
        within(self.0.send(Message::Ping("heard".into()))).await.unwrap();
        let mut meanwhile = Vec::new();
        let heard = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Pong(payload))) if payload == "heard" => return,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(text))) => meanwhile.push(serde_json::from_str(&text).unwrap()),
                    other => panic!("{other:?}"),
                }
            }
        };
        within(heard).await;
        meanwhile
    }

    /// Asks a query and reads its answer, which comes next.
    async fn ask(&mut self, number: usize) {
        self.query(number).await;
        assert_eq!(self.receive().await["status"], 200);
    }

    /// The slowness of the server: it says nothing for so long, but for pongs.
    async fn be_slow(&mut self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            frame = self.next() => panic!("{frame:?}"),
        }
    }

    /// Reads on, and answers the close frame, until the end of the link.
    async fn until_closed(mut self) {
        within(async { while let Some(Ok(_)) = self.0.next().await {} }).await;
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
    let server = Server::start().await;
    let handled = Arc::new(watch::Sender::new(0));
    let connector = server.connector(hasty::<Receipts>().shared_arc(Arc::clone(&handled)));
    let mut peer = server.attaching().await;
    peer.acknowledge().await;
    peer.configure(json!({})).await;
    for number in 0..PUBLISHES {
        peer.send(&json!({"op": "publish", "object": number})).await;
    }
    for number in 0..PUBLISHES {
        assert_eq!(peer.event().await, number);
        peer.acknowledge().await;
    }
    let mut all = handled.subscribe();
    within(all.wait_for(|handled| *handled == PUBLISHES)).await.unwrap();
    drop(all);
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// P5. A server that acknowledges was taken for one that does not after a second of slowness; what it had
/// not acknowledged then counted as arrived and was lost with the link.
#[tokio::test]
async fn what_a_slow_server_did_not_acknowledge_is_sent_again() {
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let source = connector.source("a");
    let first = source.notify(&1).await.unwrap();
    assert_eq!(peer.event().await, 1);
    peer.acknowledge().await;
    let settled = async {
        tokio::select! {
            first = first => first,
            frame = peer.next() => panic!("{frame:?}"),
        }
    };
    assert_eq!(within(settled).await, Ok(Delivery::Acknowledged));
    let mut second = source.notify(&2).await.unwrap();
    assert_eq!(peer.event().await, 2);
    // It is the server's slowness that is simulated.
    peer.be_slow(Duration::from_secs(2)).await;
    assert!((&mut second).now_or_never().is_none(), "it is not acknowledged");
    drop(peer);
    let mut peer = server.attached().await;
    assert_eq!(peer.event().await, 2);
    peer.acknowledge().await;
    // The one for `connectExtension`, so that nothing is in doubt.
    peer.acknowledge().await;
    assert_eq!(within(second).await, Ok(Delivery::Acknowledged));
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// J1. While the server was slow to attach, its silence was taken to mean that it does not acknowledge
/// `connectExtension`; its late acknowledgement then released a notification.
#[tokio::test]
async fn a_late_acknowledgement_of_a_slow_attach_releases_no_notification() {
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut receipt = connector.source("a").notify(&1).await.unwrap();
    let mut peer = server.attaching().await;
    // It is the server's slowness that is simulated.
    peer.be_slow(Duration::from_secs(2)).await;
    peer.configure(json!({})).await;
    assert_eq!(peer.event().await, 1);
    // That of `connectExtension`.
    peer.acknowledge().await;
    // Answered over the same link, so the acknowledgement has been read by then.
    peer.ask(1).await;
    assert!((&mut receipt).now_or_never().is_none());
    peer.acknowledge().await;
    assert_eq!(within(receipt).await, Ok(Delivery::Acknowledged));
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// A query that came before the configuration had no deadline.
#[tokio::test]
async fn a_query_before_the_configuration_is_answered_at_its_deadline() {
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>().query_deadline(Duration::from_millis(200)));
    let mut peer = server.attaching().await;
    peer.query(1).await;
    let answer = peer.receive().await;
    assert_eq!((code(&answer), &answer["headers"]["X-Reply-Address"]), (QueryError::TIMEOUT, &json!("1")));
    // Answered once: the configuration brings no second answer.
    peer.configure(json!({})).await;
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// A query that came before the configuration went unanswered at a stop.
#[tokio::test]
async fn a_query_before_the_configuration_is_answered_at_a_stop() {
    let server = Server::start().await;
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
    let server = Server::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let connector = server.connector(hasty::<Gated>().shared_arc(Arc::clone(&gate)));
    let mut peer = server.attaching().await;
    peer.configure(json!(1)).await;
    assert_eq!(peer.event().await, json!({"connect": 1}));
    peer.query(1).await;
    assert_eq!(peer.event().await, "waiting");
    for number in 2..=4 {
        peer.configure(json!(number)).await;
    }
    assert_eq!(peer.heard().await, [] as [Value; 0], "the query is still running");
    gate.add_permits(1);
    // The answer and the event may overtake each other.
    let (events, answers): (Vec<_>, Vec<_>) = [peer.receive().await, peer.receive().await]
        .into_iter()
        .partition(|message| message["op"] == "notification");
    let events: Vec<_> = events.iter().map(|event| &event["object"]).collect();
    assert_eq!(events, [&json!({"connect": 4})]);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0]["status"], 200);
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// Stops the connector while its `connect` runs and a query waits for it: the query's answer comes, and
/// then the close frame.
async fn stop_while_connecting<H: SourceHandler>(grace: Duration) {
    let server = Server::start().await;
    let connector = server.connector(hasty::<H>().grace(grace));
    let mut peer = server.attached().await;
    assert_eq!(peer.event().await, "connecting");
    peer.acknowledge().await;
    // For `connectExtension`, so that nothing is in doubt.
    peer.acknowledge().await;
    peer.query(1).await;
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    let stopping = tokio::spawn(connector.stop());
    let answer = peer.receive().await;
    assert_eq!((code(&answer), &answer["headers"]["X-Reply-Address"]), (QueryError::CLOSING, &json!("1")));
    assert_eq!(peer.next().await, None);
    peer.until_closed().await;
    within(stopping).await.unwrap().unwrap();
}

/// A query that waits for `connect` is answered even where that never ends.
#[tokio::test]
async fn a_query_that_waits_for_connect_is_answered_before_a_stop_closes_the_link() {
    stop_while_connecting::<NeverConnects>(Duration::from_millis(200)).await;
}

/// The grace counted once for `connect` and again for the calls, so that the link was closed before the
/// query was answered.
#[tokio::test]
async fn a_slow_connect_at_a_stop_uses_up_the_grace_of_the_query_behind_it() {
    let began = Instant::now();
    stop_while_connecting::<SlowToConnect>(GRACE).await;
    // The grace, a quarter of it for `close`; less than the grace twice.
    assert!(began.elapsed() < GRACE.mul_f64(1.8), "{:?}", began.elapsed());
}

/// Attaches, answers a query, and stops.
async fn serves_and_stops(set: ConnectorSetBuilder) -> Value {
    let server = Server::start().await;
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
    let server = Server::start().await;
    let zero = Duration::ZERO;
    let set = hasty::<Quiet>().dial_deadline(zero).step_deadline(zero).heartbeat(zero, zero);
    let connector = server.connector(set);
    let waiting = |state: &SourceState| matches!(state, SourceState::Waiting(_));
    within(connector.source("a").wait_for(waiting)).await;
    connector.stop().await.unwrap();
}

/// J1. The refusal of a notification was taken for that of the `connectExtension` sent after it.
#[tokio::test]
async fn a_refused_notification_while_attaching_again_refuses_nothing_else() {
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let source = connector.source("a");
    let known = source.notify(&0).await.unwrap();
    assert_eq!(peer.event().await, 0);
    peer.acknowledge().await;
    let settled = async {
        tokio::select! {
            known = known => known,
            frame = peer.next() => panic!("{frame:?}"),
        }
    };
    assert_eq!(within(settled).await, Ok(Delivery::Acknowledged));
    let (first, second) = (source.notify(&1).await.unwrap(), source.notify(&2).await.unwrap());
    assert_eq!((peer.event().await, peer.event().await), (json!(1), json!(2)));
    peer.reconnect_required().await;
    assert_eq!(peer.receive().await["op"], "connectExtension");
    peer.send(&json!({"status": 400, "body": [{"code": "com.example.no", "message": "no"}]})).await;
    peer.acknowledge().await;
    let first = within(first).await;
    assert!(matches!(first, Err(DeliveryError::Rejected(_))), "{first:?}");
    assert_eq!(within(second).await, Ok(Delivery::Acknowledged));
    assert_eq!(source.status().state, SourceState::Connecting, "it was not refused");
    peer.configure(json!({})).await;
    // The answer comes next: no other `connectExtension` was sent.
    peer.ask(1).await;
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// Each `reconnectRequired` was answered at once, whatever was under way.
#[tokio::test]
async fn a_storm_of_reconnect_required_is_answered_four_times_a_second() {
    const STORM: usize = 1_000;
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    let (began, mut attached) = (Instant::now(), 0);
    for _ in 0..STORM {
        peer.reconnect_required().await;
        while let Some(frame) = peer.0.next().now_or_never() {
            if matches!(frame, Some(Ok(Message::Text(text))) if text.contains("connectExtension")) {
                attached += 1;
                peer.configure(json!({})).await;
            }
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
    drop((peer, server));
    connector.stop().await.unwrap();
}

/// `reconnectRequired` while `connectExtension` is under way asks for nothing more.
#[tokio::test]
async fn reconnect_required_while_attaching_sends_no_second_connect_extension() {
    let server = Server::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attaching().await;
    for _ in 0..1_000 {
        peer.reconnect_required().await;
    }
    assert_eq!(peer.heard().await, [] as [Value; 0]);
    peer.configure(json!({})).await;
    peer.ask(1).await;
    drop((peer, server));
    connector.stop().await.unwrap();
}
