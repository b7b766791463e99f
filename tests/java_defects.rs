//! What the Java extension SDK gets wrong (`docs/PROTOCOL.md`, section 14, J1 to J16), each with a test that
//! fails on that defect. The TLS and proxy options of J16 are in `tls.rs`.
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{CloseCode, Data, OpCode},
        },
    },
};
use vantiq_connector::{Delivery, NotifyError, ServerConfigBuilder, prelude::*};
use vantiq_connector_tests::{
    Connector, Echo, Gate, HandServer, Log, Quiet, config, count, hasty, until, within,
};
use vantiq_simulator::{Acknowledge, Cut, Refusal, Simulator, UpgradeReply, ValidateReply};

/// Asserts that the numbers from 0 to `count` arrived in order; a number may come again, none may be missing.
#[track_caller]
fn assert_complete(source: &vantiq_simulator::Source, count: u64) {
    let mut next = 0;
    for notification in source.notifications() {
        let number = notification.object.as_u64().expect("only numbers were notified");
        assert!(number <= next, "{number} came where {next} was due");
        next = next.max(number + 1);
    }
    assert_eq!(next, count);
}

/// J1: any status released a notification.
#[tokio::test]
async fn acknowledged_answers_never_release_a_receipt_early() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    peer.ask(10).await;
    let mut receipt = connector.source("a").notify(&json!({"n": 1})).await.unwrap();
    assert_eq!(peer.receive().await["op"], "notification");
    // Those of `connectExtension` and of the answers.
    peer.acknowledge(11).await;
    // Answered over the same link, so the acknowledgements have been read by then.
    peer.ask(1).await;
    assert!(futures_util::poll!(&mut receipt).is_pending());
    peer.acknowledge(1).await;
    assert_eq!(within(receipt).await, Ok(Delivery::Acknowledged));
    server.hang_up(peer, connector).await;
}

/// J1: the limit of unacknowledged notifications drifted upwards.
#[tokio::test]
async fn acknowledged_answers_never_widen_the_window() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>().window(3, 1 << 20));
    let mut peer = server.attached().await;
    peer.ask(10).await;
    for number in 0..10 {
        connector.source("a").notify(&json!({"n": number})).await.unwrap();
    }
    for number in 0..3 {
        assert_eq!(peer.receive().await["object"]["n"], number);
    }
    peer.acknowledge(11).await;
    peer.query(10).await;
    let next = peer.receive().await;
    assert_eq!(next["status"], 200, "the answer, and not a fourth notification: {next}");
    peer.acknowledge(3).await;
    for number in 3..6 {
        assert_eq!(peer.receive().await["object"]["n"], number);
    }
    server.hang_up(peer, connector).await;
}

/// J1, from end to end: a server that acknowledges everything, and one that refuses one notification of many.
#[tokio::test]
async fn each_receipt_tells_of_its_own_notification() {
    let simulator = Simulator::builder()
        .source("a", json!({}))
        .acknowledge(Acknowledge::Everything)
        .start()
        .await
        .unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Quiet>(), &simulator, &["a"]);
    connector.connected("a").await;
    for round in 0..3 {
        let query = source.query(json!(round)).await.unwrap();
        assert_eq!(query.status, 200);
        let accepted = connector.source("a").notify(&json!({"accepted": round})).await.unwrap();
        source.wait_notifications(2 * round + 1).await.unwrap();
        source.acknowledge(Acknowledge::WithError {
            status: 500,
            code: "io.vantiq.server.error".into(),
            message: "no".into(),
        });
        let refused = connector.source("a").notify(&json!({"refused": round})).await.unwrap();
        let error = within(refused).await.unwrap_err();
        let shown = format!("{error:?}");
        assert!(shown.contains("500") && shown.contains("io.vantiq.server.error"), "{shown}");
        source.acknowledge(Acknowledge::Everything);
        let after = connector.source("a").notify(&json!({"after": round})).await.unwrap();
        assert_eq!(within(accepted).await, Ok(Delivery::Acknowledged));
        assert_eq!(within(after).await, Ok(Delivery::Acknowledged));
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// J2: permits in flight when the link was lost were never given back.
#[tokio::test]
async fn notify_still_works_after_many_cuts_with_notifications_in_flight() {
    const IN_FLIGHT: u64 = 4;
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let bounds = hasty::<Quiet>().window(4, 1 << 20).outbox(4, 1 << 20);
    let connector = Connector::start(bounds, &simulator, &["a"]);
    let mut next = 0;
    // Each takes a second, in which the acknowledgement of `connectExtension` is in doubt. A single lost permit
    // would block the second.
    for round in 1..=5 {
        source.wait_sessions(round).await.unwrap();
        source.acknowledge(Acknowledge::Nothing);
        let before = source.notification_count();
        let mut receipts = Vec::new();
        for _ in 0..IN_FLIGHT {
            receipts.push(within(connector.source("a").notify(&next)).await.unwrap());
            next += 1;
        }
        source.wait_notifications(before + IN_FLIGHT).await.unwrap();
        source.acknowledge(Acknowledge::NotificationsOnly);
        source.cut(Cut::Abort).await.unwrap();
        for receipt in receipts {
            within(receipt).await.unwrap();
        }
    }
    connector.stop().await.unwrap();
    assert_complete(&source, next);
}

/// Awaits the receipts of eight notifications from within `publish`.
#[derive(VantiqSource)]
#[vantiq_source]
struct Patient(Source);

impl SourceHandler for Patient {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn publish(&self, message: Value) -> Result<()> {
        let mut receipts = Vec::new();
        for number in 0..8 {
            receipts.push(self.0.notify(&json!({"n": number})).await?);
        }
        for receipt in receipts {
            receipt.await?;
        }
        self.0.notify(&json!({"done": message})).await?;
        Ok(())
    }
}

/// J3: the reader of acknowledgements was the thread that waited for them.
#[tokio::test]
async fn a_publish_handler_may_await_more_than_five_receipts() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Patient>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for message in ["one", "two"] {
        source.publish(message).await.unwrap();
        until(&source, json!({"done": message})).await;
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// J4: of more than 25 messages while disconnected the oldest were lost.
#[tokio::test]
async fn nothing_notified_while_disconnected_is_lost() {
    const COUNT: u64 = 2_000;
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Quiet>(), &simulator, &["a"]);
    connector.connected("a").await;
    simulator.stop().await.unwrap();
    connector.waiting("a", "").await;
    for number in 0..COUNT {
        within(connector.source("a").notify(&number)).await.unwrap();
    }
    simulator.restart().await.unwrap();
    source.wait_notifications(COUNT).await.unwrap();
    connector.stop().await.unwrap();
    assert_complete(&source, COUNT);
}

/// J4: what was in flight when the link was lost, and what came after, kept no order.
#[tokio::test]
async fn order_is_kept_over_lost_links() {
    const COUNT: u64 = 4_000;
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Quiet>().window(64, 1 << 20), &simulator, &["a"]);
    let notifying = connector.source("a");
    let notifying = tokio::spawn(async move {
        for number in 0..COUNT {
            notifying.notify(&number).await.unwrap();
        }
    });
    for (round, cut) in (1..).zip([Cut::Abort, Cut::MidFrame, Cut::Close, Cut::Abort]) {
        source.wait_notifications(round * 500).await.unwrap();
        source.cut(cut).await.unwrap();
    }
    simulator.wait_for("the last number", |_| arrived(&source, COUNT - 1)).await.unwrap();
    within(notifying).await.unwrap();
    connector.stop().await.unwrap();
    assert_complete(&source, COUNT);
}

fn arrived(source: &vantiq_simulator::Source, number: u64) -> bool {
    source.notifications().last().is_some_and(|last| last.object == number)
}

/// J4: answers of queries were kept, and sent to a server that had forgotten them.
#[tokio::test]
async fn the_answer_of_a_lost_query_is_not_sent_over_the_next_link() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let gate = Gate::closed();
    let connector = Connector::start(hasty::<Echo>().shared_arc(Arc::clone(&gate)), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    let lost = source.start_query("wait").await.unwrap();
    until(&source, json!({"waiting": "query"})).await;
    source.cut(Cut::Abort).await.unwrap();
    source.wait_sessions(2).await.unwrap();
    gate.open(2);
    assert_eq!(source.query("wait").await.unwrap().body, "wait");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
    assert!(!simulator.received().iter().any(|message| message.text.contains(lost.address())));
}

/// J5: what could not be sent was dropped without a word, and took a permit with it.
#[tokio::test]
async fn what_cannot_be_sent_is_an_error_and_takes_no_room() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let settings = config(&simulator, &["a"]).set("maxMessageBytes", "2048");
    let connector = Connector::start_with(hasty::<Quiet>().outbox(1, 1 << 20), settings);
    let notifying = connector.source("a");
    for _ in 0..5 {
        let not_json = HashMap::from([((1, 2), 3)]);
        let error = within(notifying.notify(&not_json)).await.unwrap_err();
        assert!(matches!(error, NotifyError::Serialize(_)), "{error:?}");
        let error = within(notifying.notify(&"x".repeat(2048))).await.unwrap_err();
        assert!(matches!(error, NotifyError::TooLarge { max: 2048, size } if size > 2048), "{error:?}");
    }
    within(within(notifying.notify(&json!({"n": 1}))).await.unwrap()).await.unwrap();
    assert_eq!(source.notification_count(), 1, "the refused ones were not sent");
    connector.stop().await.unwrap();
    assert!(matches!(notifying.notify(&1).await, Err(NotifyError::Closed)));
}

/// J5: what was sent while the socket was not open was dropped, and so was what did not fit the queue.
#[tokio::test]
async fn a_full_outbox_refuses_and_keeps_what_it_accepted() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    simulator.on_upgrade(UpgradeReply::NoAnswer);
    let set = hasty::<Quiet>().outbox(2, 1 << 20).dial_deadline(Duration::from_millis(200));
    let connector = Connector::start(set, &simulator, &["a"]);
    let notifying = connector.source("a");
    let receipts = [0, 1].map(|number| notifying.try_notify(&number).unwrap());
    assert!(matches!(notifying.try_notify(&2), Err(NotifyError::Full)));
    simulator.on_upgrade(UpgradeReply::Accept);
    for receipt in receipts {
        within(receipt).await.unwrap();
    }
    within(notifying.try_notify(&2).unwrap()).await.unwrap();
    connector.stop().await.unwrap();
    assert_complete(&source, 3);
}

/// J6: a close by the server was never answered, so a quiet connector stayed a zombie.
#[tokio::test]
async fn a_close_by_the_server_is_answered_and_followed_by_a_new_link() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    for code in [CloseCode::Normal, CloseCode::Away, CloseCode::Restart] {
        connector.connected("a").await;
        let frame = CloseFrame { code, reason: "".into() };
        peer.send_frame(Message::Close(Some(frame))).await;
        assert_eq!(peer.next().await, None, "{code}");
        peer = server.attached().await;
    }
    peer.ask(1).await;
    server.hang_up(peer, connector).await;
}

/// J7: there was no reconnect after the socket closed.
#[tokio::test]
async fn a_server_that_was_gone_is_found_again() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    for round in 1..=3 {
        source.wait_sessions(round).await.unwrap();
        assert_eq!(source.query(round).await.unwrap().body, round);
        simulator.stop().await.unwrap();
        let dials = simulator.dials();
        simulator.restart().await.unwrap();
        simulator.wait_for("another dial", |simulator| simulator.dials() > dials).await.unwrap();
    }
    source.wait_sessions(4).await.unwrap();
    assert_eq!(source.query("alive").await.unwrap().body, "alive");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// J8, J9: retried without a delay, up to ten times, and only after one of the refusals.
#[tokio::test]
async fn every_refusal_is_tried_again_after_a_delay_and_on_the_same_link() {
    const TIMES: usize = 2;
    // The first delay is at least 125 ms, the second at least 250 ms.
    const LEAST: Duration = Duration::from_millis(375);
    let refusals = [
        Refusal::NoAssociatedStream,
        Refusal::OwnershipTimeout,
        Refusal::AlreadyConnected,
        Refusal::UnknownSource,
        Refusal::NotActive,
        Refusal::BodyMissing(300),
        Refusal::BodyMissing(403),
        Refusal::BodyMissing(500),
    ];
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let names: Vec<String> = (0..refusals.len()).map(|number| format!("s{number}")).collect();
    for (name, refusal) in names.iter().zip(refusals) {
        simulator.source(name).refuse_times(TIMES, refusal);
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let started = Instant::now();
    let connector = Connector::start(hasty::<Echo>(), &simulator, &names);
    for name in &names {
        simulator.source(name).wait_attached().await.unwrap();
        assert!(started.elapsed() >= LEAST, "{name} was tried again back to back");
        assert_eq!(simulator.source(name).query("asked").await.unwrap().body, "asked");
    }
    assert_eq!(simulator.dials(), names.len() as u64, "a refusal does not cost the link");
    assert_eq!(count(&simulator, "connectExtension"), names.len() * (TIMES + 1));
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// J9: a refusal that also closes the link was given up.
#[tokio::test]
async fn a_refusal_that_closes_the_link_is_tried_again_on_the_next() {
    let simulator =
        Simulator::builder().source("a", json!({})).close_after_refusal(true).start().await.unwrap();
    simulator.source("a").refuse_times(3, Refusal::AlreadyConnected);
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    simulator.source("a").wait_attached().await.unwrap();
    assert_eq!(simulator.dials(), 4);
    connector.stop().await.unwrap();
}

/// J10: settings given in code were not there where they were needed.
#[tokio::test]
async fn settings_given_in_code_reach_every_place_that_needs_them() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let settings = config(&simulator, &["a"]).set("mine", "own");
    let connector = Connector::start_with(hasty::<Quiet>(), settings);
    simulator.source("a").wait_attached().await.unwrap();
    assert_eq!(connector.set.server_config().get("mine"), Some("own"));
    assert_eq!(connector.source("a").server_config().sources(), ["a"]);
    connector.source("a").declare_healthy().await.unwrap();
    let port = connector.set.probe_addr().expect("it was declared healthy").port();
    within(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    connector.stop().await.unwrap();
}

/// J11: `sendPings` given in code was always false.
#[tokio::test]
async fn pings_given_in_code_are_sent() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let settings = config(&simulator, &["a"]).set("sendPings", "true");
    let often = hasty::<Quiet>().heartbeat(Duration::from_millis(20), Duration::from_secs(20));
    let connector = Connector::start_with(often, settings);
    simulator.wait_for("pings", |simulator| simulator.pings() >= 5).await.unwrap();
    assert_eq!(simulator.dials(), 1);
    connector.stop().await.unwrap();
}

/// J12: a status of another type, or a `null` where a boolean is expected, killed the socket.
#[tokio::test]
async fn members_of_odd_types_do_not_cost_the_link() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for odd in [
        json!({"status": "200"}),
        json!({"status": {"code": 200}}),
        json!({"status": null}),
        json!({"status": -1}),
        json!({"status": 200.0}),
        json!({"status": 1e300}),
        json!({"status": 200, "headers": 7, "body": [[]]}),
        json!({"status": 200, "headers": {"X-Request-Id": 7}}),
        json!({"op": 7}),
        json!({"op": null, "status": null}),
        json!({"op": "query", "messageHeaders": {"REPLY_ADDR_HEADER": 7}, "object": 1}),
        json!({"op": "query", "messageHeaders": "none", "object": 1}),
        json!({}),
    ] {
        source.send_raw(odd.to_string()).await.unwrap();
    }
    let publish = json!({
        "op": "publish", "resourceName": null, "resourceId": null, "isSystemResource": null,
        "skipMonitoring": "no", "address": 7, "messageHeaders": null, "parameters": [], "object": "odd",
    });
    source.send_raw(publish.to_string()).await.unwrap();
    until(&source, json!({"published": "odd"})).await;
    assert_eq!(source.query("alive").await.unwrap().body, "alive");
    assert_eq!((simulator.dials(), source.sessions()), (1, 1));
    connector.stop().await.unwrap();
}

/// J12: a text frame that is not UTF-8 breaks the WebSocket protocol itself. It costs the link, as RFC 6455
/// wants it, and nothing else.
#[tokio::test]
async fn a_text_frame_that_is_not_utf8_is_followed_by_a_new_link_and_loses_nothing() {
    let server = HandServer::start().await;
    let connector = server.connector(hasty::<Quiet>());
    let mut peer = server.attached().await;
    connector.source("a").notify(&json!({"n": 1})).await.unwrap();
    assert_eq!(peer.receive().await["object"]["n"], 1);
    let frame = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    peer.send_frame(Message::Frame(frame)).await;
    let mut peer = server.attached().await;
    assert_eq!(peer.receive().await["object"]["n"], 1, "it was not acknowledged");
    peer.ask(1).await;
    server.hang_up(peer, connector).await;
}

/// J13: messages before the configuration were dropped.
#[tokio::test]
async fn what_comes_before_the_configuration_is_handled_after_it() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    source.refuse(Refusal::Silent);
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    simulator.wait_for("`connectExtension`", |it| count(it, "connectExtension") > 0).await.unwrap();
    for object in ["one", "two"] {
        source.send_raw(json!({"op": "publish", "object": object}).to_string()).await.unwrap();
    }
    source.configure_now(json!({"late": true})).await.unwrap();
    for wanted in
        [json!({"configured": {"late": true}}), json!({"published": "one"}), json!({"published": "two"})]
    {
        assert_eq!(source.next_notification().await.unwrap().object, wanted);
    }
    assert_eq!(simulator.dials(), 1);
    connector.stop().await.unwrap();
}

/// J13: a second configuration on the same link was discarded.
#[tokio::test]
async fn a_second_configuration_begins_a_new_session_on_the_same_link() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    until(&source, json!({"configured": {"n": 1}})).await;
    source.configure_now(json!({"n": 2})).await.unwrap();
    until(&source, json!({"configured": {"n": 2}})).await;
    assert_eq!(source.query("asked").await.unwrap().body, "asked");
    assert_eq!((simulator.dials(), connector.source("a").status().counts.sessions), (1, 2));
    connector.stop().await.unwrap();
}

/// J14: probes were never closed, and after `declareUnhealthy` a loop spun and logged errors.
#[tokio::test]
async fn the_probe_closes_what_it_accepts_and_ends_in_peace() {
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let connector = Connector::start(hasty::<Quiet>(), &simulator, &["a"]);
    for _ in 0..3 {
        connector.set.declare_healthy().await.unwrap();
        let addr = ("127.0.0.1", connector.set.probe_addr().unwrap().port());
        for _ in 0..50 {
            let mut probe = within(TcpStream::connect(addr)).await.unwrap();
            assert_eq!(within(probe.read(&mut [0])).await.unwrap(), 0, "nothing is sent, the end is");
        }
        connector.set.declare_unhealthy().await;
        assert!(TcpStream::connect(addr).await.is_err(), "closed when `declare_unhealthy` returns");
    }
    connector.stop().await.unwrap();
    let text = log.text();
    assert!(!text.contains("WARN") && !text.contains("ERROR"), "{text}");
}

const TOKEN: &str = "canary-token-7f3a";
const SECRET: &str = "canary-secret-91bc";
const DOCUMENT: &str = "canary-document-4e1d";
const PUBLISHED: &str = "canary-published-66a0";
const OWN: &str = "canary-own-0c55";
/// What must be in no log; the last two are the simulator's own, in its answer to `validate`.
const CANARIES: [&str; 7] =
    [TOKEN, SECRET, DOCUMENT, PUBLISHED, OWN, "simulated-access-token", "simulated.id.token"];

#[track_caller]
fn assert_no_canary(text: &str) {
    for canary in CANARIES {
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} is in {line:?}");
    }
}

/// Expects a number.
#[derive(VantiqSource)]
#[vantiq_source(config = Limits, publish = u16)]
struct Limited(Source);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Unit {
    Celsius,
}

#[derive(Deserialize)]
struct Limits {
    #[serde(rename = "password")]
    _password: String,
    limit: u16,
    #[serde(rename = "unit")]
    _unit: Option<Unit>,
}

impl SourceHandler for Limited {
    async fn connect(source: Source, config: Limits) -> Result<Self> {
        source.notify(&json!({"limit": config.limit})).await?;
        Ok(Self(source))
    }

    async fn publish(&self, message: u16) -> Result<()> {
        self.0.notify(&json!({"published": message})).await?;
        Ok(())
    }
}

fn canary_settings(simulator: &Simulator) -> ServerConfigBuilder {
    config(simulator, &["a"]).auth_token(TOKEN).reconnect_secret(SECRET).set("ownKey", OWN)
}

/// J15: the whole answer to `validate` was logged.
#[tokio::test]
async fn no_secret_is_ever_logged() {
    let log = Log::capture();
    let document = json!({"password": DOCUMENT, "limit": 1});
    let simulator = Simulator::builder().token(TOKEN).source("a", document.clone()).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start_with(hasty::<Limited>(), canary_settings(&simulator));
    until(&source, json!({"limit": 1})).await;

    // Reconnects, on a new link and on the same, with refusals of all steps.
    simulator.on_next_upgrades(1, UpgradeReply::Status(503));
    simulator.on_next_validates(1, &ValidateReply::refuse());
    source.refuse_times(1, Refusal::AlreadyConnected);
    source.cut(Cut::MidFrame).await.unwrap();
    source.wait_sessions(2).await.unwrap();
    source.reconnect_required().await.unwrap();
    source.wait_sessions(3).await.unwrap();

    // Malformed frames: halves of documents, and documents of the wrong shape.
    let configure = json!({"op": "configureExtension", "object": {"config": document}}).to_string();
    let validated = json!({"status": "200", "body": {"userInfo": {"accessToken": TOKEN}}}).to_string();
    for cut in [1, 3, 8] {
        source.send_raw(&configure[..configure.len() - cut]).await.unwrap();
    }
    source.send_raw(validated).await.unwrap();
    source.send_raw(json!([DOCUMENT, {DOCUMENT: DOCUMENT}]).to_string()).await.unwrap();
    source.send_raw(json!({DOCUMENT: DOCUMENT}).to_string()).await.unwrap();
    source.send_raw([configure.as_bytes(), &[0xff]].concat()).await.unwrap();
    source
        .send_raw(json!({"status": 500, "body": {"userInfo": {"token": TOKEN}}}).to_string())
        .await
        .unwrap();

    // A publish and configurations of the wrong shape.
    source.publish(PUBLISHED).await.unwrap();
    source.publish(7).await.unwrap();
    until(&source, json!({"published": 7})).await;
    for wrong in [
        json!({"password": DOCUMENT, "limit": DOCUMENT}),
        json!({"password": DOCUMENT, "limit": 1, "unit": DOCUMENT}),
        json!({"password": [DOCUMENT], "limit": 1}),
        json!(DOCUMENT),
    ] {
        let shown = format!("{wrong}");
        source.configure(wrong).await.unwrap();
        source.wait_attached().await.unwrap();
        let reply = source.query("why").await.unwrap();
        assert_eq!(reply.error().unwrap().message_code, QueryError::CONFIGURATION, "{shown}");
        assert_no_canary(&reply.body.to_string());
        assert_no_canary(&format!("{:?}", connector.set.status()));
    }
    assert_no_canary(&format!("{:?} {:?}", connector.set, connector.set.server_config()));
    source.configure(document).await.unwrap();
    until(&source, json!({"limit": 1})).await;
    connector.stop().await.unwrap();

    let text = log.text();
    assert!(text.contains("TRACE") && text.contains("vantiq_connector"), "everything was captured");
    assert_no_canary(&text);
}

/// J15: also where a frame is the tail of a document, so that its quotes are out of step.
#[tokio::test]
async fn no_value_of_half_a_document_is_logged() {
    let log = Log::capture();
    let simulator = Simulator::builder().token(TOKEN).source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start_with(hasty::<Echo>(), canary_settings(&simulator));
    source.wait_attached().await.unwrap();
    for frame in [
        format!(r#"sword":"{DOCUMENT}","limit":1}}}}}}"#),
        format!(r#"{DOCUMENT}","limit":1}}}}}}"#),
        format!("{{'password': '{DOCUMENT}'}}"),
    ] {
        source.send_raw(frame).await.unwrap();
    }
    assert_eq!(source.query("alive").await.unwrap().body, "alive");
    assert_eq!(connector.source("a").status().counts.undecodable, 3);
    connector.stop().await.unwrap();
    assert_no_canary(&log.text());
}

/// J16: no step of the handshake had a deadline.
#[tokio::test]
async fn every_step_of_the_handshake_has_a_deadline() {
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    // Sent three times before giving up.
    simulator.on_next_validates(3, &ValidateReply::NoAnswer);
    simulator.on_next_upgrades(1, UpgradeReply::NoAnswer);
    simulator.source("a").refuse_times(1, Refusal::Silent);
    let set =
        hasty::<Echo>().dial_deadline(Duration::from_millis(500)).step_deadline(Duration::from_millis(500));
    let connector = Connector::start(set, &simulator, &["a"]);
    log.line("did not answer in time").await;
    log.line("did not answer `validate`").await;
    log.line("did not answer `connectExtension`").await;
    simulator.source("a").wait_attached().await.unwrap();
    assert_eq!(simulator.source("a").query("asked").await.unwrap().body, "asked");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}
