//! What the Python SDK gets wrong: rows P1 to P19 of `docs/PROTOCOL.md`, section 14.
//!
//! Each test would fail with the defect whose number it names. P16 is no defect of an SDK, says the document.
#![forbid(unsafe_code)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use vantiq_connector::{
    ConnectorError, Delivery, DeliveryError, NotifyError, Secret, ServerConfigBuilder, SourceState,
    TransportErrorKind,
    prelude::*,
    protocol::{ServerError, Status},
};
use vantiq_connector_tests::{Connector, Echo, Gate, Log, config, count, hasty, until, within};
use vantiq_simulator::{
    Acknowledge, AcknowledgeOrder, Cut, ErrorBody, FailureBody, Refusal, Simulator, SimulatorBuilder,
    UpgradeReply, ValidateReply,
};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A server that acknowledges `connectExtension`, as some do: then it is never in doubt which message an
/// acknowledgement is for, and a stop need not wait until the link is quiet.
fn server() -> SimulatorBuilder {
    Simulator::builder().connect_acknowledgements(1, AcknowledgeOrder::BeforeConfiguration)
}

/// Such a server with the source `a`.
async fn simulator() -> Simulator {
    server().source("a", json!({})).start().await.unwrap()
}

/// The delays before each new dial, as the log tells them.
fn delays(log: &Log) -> Vec<Duration> {
    let text = log.text();
    let lines = text.lines().filter(|line| line.contains("not connected; trying again"));
    lines.map(|line| delay(line.rsplit("delay=").next().unwrap_or_default())).collect()
}

/// Reads a duration as `Debug` writes it.
fn delay(text: &str) -> Duration {
    let text = text.split_whitespace().next().unwrap_or_default();
    let unit = text.find(|next: char| next.is_alphabetic()).unwrap_or(text.len());
    let seconds = match &text[unit..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        other => panic!("`{other}` in `{text}` is no unit of time"),
    };
    Duration::from_secs_f64(text[..unit].parse::<f64>().unwrap() * seconds)
}

/// P1. 2,300 dials in three seconds, without a word about the reason.
#[tokio::test]
async fn a_refused_source_is_asked_for_now_and_then_on_one_link_and_the_log_says_why() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    source.refuse(Refusal::UnknownSource);
    let begun = Instant::now();
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    simulator.wait_for("three attempts", |it| count(it, "connectExtension") >= 3).await.unwrap();
    // The delays are 125 to 250 and 250 to 500 milliseconds.
    assert!(begun.elapsed() >= millis(375), "a storm: three attempts in {:?}", begun.elapsed());
    assert_eq!(simulator.dials(), 1, "a refused source is asked for again on the same link");
    let line = log.line("refused the source").await;
    for part in ["status 400", "io.vantiq.sourcemgr.connectExtension", "does not exist", "id=\"a\""] {
        assert!(line.contains(part), "{line}");
    }
    connector.waiting("a", "does not exist").await;
    source.accept();
    connector.connected("a").await;
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// P1, P8. The same with a server that closes the link after its refusal.
#[tokio::test]
async fn a_server_that_hangs_up_on_a_refused_source_is_dialled_ever_more_rarely() {
    let log = Log::capture();
    let simulator = server().source("a", json!({})).close_after_refusal(true);
    let simulator = simulator.start().await.unwrap();
    simulator.source("a").refuse(Refusal::AlreadyConnected);
    let connector = Connector::start(hasty::<Echo>().backoff(millis(10), millis(60_000)), &simulator, &["a"]);
    simulator.wait_for("eight dials", |it| it.dials() >= 8).await.unwrap();
    let delays = delays(&log);
    assert!(delays.len() >= 7, "a dial without a delay before it: {delays:?}");
    // Seven draws, all below the first bound: once in 2^21 times.
    assert!(delays.iter().any(|delay| *delay > millis(10)), "the delays do not grow: {delays:?}");
    connector.stop().await.unwrap();
}

/// P2. `sendPings=false` must mean what it says, and so must nothing at all, which means pings.
#[tokio::test]
async fn pings_are_sent_unless_send_pings_is_false() {
    // With this one it is in doubt for a while what its acknowledgements are for, and a ping would help.
    let spared = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let pinged = simulator().await;
    let set = || hasty::<Echo>().heartbeat(millis(25), millis(20_000));
    let quiet = Connector::start_with(set(), config(&spared, &["a"]).set("sendPings", "false"));
    quiet.connected("a").await;
    let pinging = Connector::start(set(), &pinged, &["a"]);
    // Long enough for what is sent once, at the start or when the link has become quiet, to be seen.
    pinged.wait_for("60 pings", |it| it.pings() >= 60).await.unwrap();
    assert_eq!(spared.source("a").query(1).await.unwrap().body, 1);
    assert_eq!(spared.pings(), 0, "none was wanted");
    for connector in [quiet, pinging] {
        connector.stop().await.unwrap();
    }
}

/// P2. With pings off, silence is no death.
#[tokio::test]
async fn without_pings_a_silent_server_is_not_taken_for_dead() {
    let (pinged, spared) = (simulator().await, simulator().await);
    let set = || hasty::<Echo>().heartbeat(millis(20), millis(400));
    let patient = Connector::start_with(set(), config(&spared, &["a"]).set("sendPings", "false"));
    let impatient = Connector::start(set(), &pinged, &["a"]);
    for (connector, simulator) in [(&patient, &spared), (&impatient, &pinged)] {
        connector.connected("a").await;
        simulator.source("a").go_silent().unwrap();
    }
    pinged.wait_for("a new link", |it| it.dials() >= 2).await.unwrap();
    assert_eq!(spared.dials(), 1);
    spared.source("a").speak().unwrap();
    assert_eq!(spared.source("a").query(1).await.unwrap().body, 1);
    patient.stop().await.unwrap();
    impatient.stop().await.unwrap();
}

/// P3. `failOnConnectionError=false` must not count as true.
#[tokio::test]
async fn fail_on_connection_error_false_waits_for_the_server() {
    for value in ["false", "False", "no"] {
        let simulator = simulator().await;
        simulator.on_upgrade(UpgradeReply::Status(502));
        let settings = config(&simulator, &["a"]).set("failOnConnectionError", value);
        let connector = Connector::start_with(hasty::<Echo>(), settings);
        connector.waiting("a", "HTTP status 502").await;
        simulator.on_upgrade(UpgradeReply::Accept);
        connector.connected("a").await;
        connector.stop().await.unwrap();
    }
}

/// P3. `failOnConnectionError=true` is about the first connection only.
#[tokio::test]
async fn fail_on_connection_error_true_ends_the_set_at_first_but_never_after_a_healthy_connection() {
    let simulator = simulator().await;
    let settings = config(&simulator, &["a"]).set("failOnConnectionError", "true");
    let healthy = Connector::start_with(hasty::<Echo>(), settings);
    healthy.connected("a").await;
    simulator.on_upgrade(UpgradeReply::Status(502));
    simulator.source("a").cut(Cut::Abort).await.unwrap();
    healthy.waiting("a", "HTTP status 502").await;

    let unreachable = || Connector::unreachable(hasty::<Echo>(), config(&simulator, &["a"]));
    let (kind, _) = unreachable().await;
    assert!(matches!(kind, TransportErrorKind::Upgrade { status: 502, .. }), "{kind:?}");

    simulator.on_upgrade(UpgradeReply::Accept);
    healthy.connected("a").await;
    healthy.stop().await.unwrap();

    simulator.stop().await.unwrap();
    let (kind, _) = unreachable().await;
    assert!(matches!(kind, TransportErrorKind::Unreachable { .. }), "{kind:?}");
}

/// Notifies more than its outbox holds before it is connected.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Eager;

impl SourceHandler for Eager {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        for n in 0..10 {
            source.notify(&json!(n)).await?;
        }
        source.notify(&json!("acknowledged")).await?.await?;
        Ok(Self)
    }
}

/// P4. Sending from `connect` waits for ever.
#[tokio::test]
async fn notifications_from_connect_neither_deadlock_nor_lose_their_order() {
    let simulator = simulator().await;
    let set = ConnectorSet::builder().source::<Eager>().outbox(2, 1 << 20);
    let connector = Connector::start(set, &simulator, &["a"]);
    connector.connected("a").await;
    let events: Vec<_> =
        simulator.source("a").notifications().into_iter().map(|event| event.object).collect();
    let expected: Vec<_> = (0..10).map(|n| json!(n)).chain([json!("acknowledged")]).collect();
    assert_eq!(events, expected);
    connector.stop().await.unwrap();
}

/// An attached connector whose handler waits where it is told to, until the gate is opened.
async fn gated() -> (Simulator, Connector, Arc<Gate>) {
    let (simulator, gate) = (simulator().await, Gate::closed());
    let connector = Connector::start(hasty::<Echo>().shared_arc(Arc::clone(&gate)), &simulator, &["a"]);
    simulator.source("a").wait_attached().await.unwrap();
    (simulator, connector, gate)
}

/// P5. One slow handler stops everything.
#[tokio::test]
async fn a_slow_query_delays_no_publish_and_no_other_query() {
    let (simulator, connector, gate) = gated().await;
    let source = simulator.source("a");
    let slow = source.start_query("wait").await.unwrap();
    until(&source, json!({"waiting": "query"})).await;
    source.publish("fast").await.unwrap();
    until(&source, json!({"published": "fast"})).await;
    assert_eq!(source.query("fast").await.unwrap().body, "fast");
    gate.open(1);
    assert_eq!(slow.await.unwrap().body, "wait");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// P5.
#[tokio::test]
async fn a_slow_publish_delays_no_query_and_no_notification_but_the_publishes_behind_it() {
    let (simulator, connector, gate) = gated().await;
    let source = simulator.source("a");
    source.publish("wait").await.unwrap();
    source.publish("behind").await.unwrap();
    until(&source, json!({"waiting": "publish"})).await;
    assert_eq!(source.query("fast").await.unwrap().body, "fast");
    within(connector.source("a").notify(&json!("sent")).await.unwrap()).await.unwrap();
    assert_eq!(source.next_notification().await.unwrap().object, json!("sent"));
    gate.open(1);
    assert_eq!(source.next_notification().await.unwrap().object, json!({"published": "wait"}));
    assert_eq!(source.next_notification().await.unwrap().object, json!({"published": "behind"}));
    connector.stop().await.unwrap();
}

/// P5, P17. The slow query is still answered, over the link that it came by.
#[tokio::test]
async fn a_slow_query_delays_no_reconnect_required() {
    let (simulator, connector, gate) = gated().await;
    let source = simulator.source("a");
    let slow = source.start_query("wait").await.unwrap();
    until(&source, json!({"waiting": "query"})).await;
    source.configure(json!({"n": 2})).await.unwrap();
    source.wait_sessions(2).await.unwrap();
    gate.open(1);
    assert_eq!(slow.await.unwrap().body, "wait");
    until(&source, json!({"configured": {"n": 2}})).await;
    assert_eq!(simulator.dials(), 1);
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// Fails as it is told to.
#[derive(VantiqSource)]
#[vantiq_source("a", publish = String, query = String)]
struct Broken;

impl SourceHandler for Broken {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn publish(&self, how: String) -> Result<()> {
        fail(&how)
    }

    async fn query(&self, how: String, _: &mut Rows) -> Result<Answer> {
        fail(&how)?;
        Ok(Answer::empty())
    }
}

fn fail(how: &str) -> Result<()> {
    match how {
        "panic" => panic!("as the test wants it"),
        "error" => anyhow::bail!("the pump is stuck"),
        _ => Ok(()),
    }
}

/// Handles nothing.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Deaf;

impl SourceHandler for Deaf {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }
}

async fn error_of(source: &vantiq_simulator::Source, query: impl Into<Value>) -> ErrorBody {
    source.query(query).await.unwrap().error().expect("an error")
}

/// P6. The caller waits for the server's time-out, for nobody tells it.
#[tokio::test]
async fn whatever_a_query_handler_does_wrong_the_caller_is_told_at_once() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Broken>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    // Without an answer at once there would be one after 25 seconds, with the code of a time-out.
    for (query, code, parameters) in [
        (json!("error"), QueryError::FAILED, vec![json!("the pump is stuck")]),
        (json!("panic"), QueryError::PANICKED, vec![]),
        (json!({"a": 1}), QueryError::SHAPE, vec![json!("invalid type: map, expected a string")]),
    ] {
        let error = error_of(&source, query).await;
        assert_eq!((error.message_code.as_str(), error.parameters), (code, parameters));
    }
    assert_eq!(source.query("fine").await.unwrap().status, 204);
    assert_eq!(connector.source("a").status().counts.queries_failed, 3);
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// P6.
#[tokio::test]
async fn a_source_without_a_query_handler_says_so_at_once() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Deaf>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    assert_eq!(error_of(&source, json!(1)).await.message_code, QueryError::UNHANDLED);
    source.publish(1).await.unwrap();
    assert_eq!(error_of(&source, json!(2)).await.message_code, QueryError::UNHANDLED);
    connector.set.close().await;
    assert_eq!(connector.set.status()[0].counts.publishes_unhandled, 1);
    connector.ended().await.unwrap();
}

/// P6. A publisher cannot be told, but the failures are counted and harm nothing else.
#[tokio::test]
async fn a_publish_that_fails_or_panics_harms_neither_the_next_nor_the_link() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Broken>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for message in [json!("error"), json!("panic"), json!({"a": 1}), json!("fine")] {
        source.publish(message).await.unwrap();
    }
    for part in ["the pump is stuck", "panicked in `publish`", "invalid type: map, expected a string"] {
        log.line(part).await;
    }
    assert_eq!(source.query("fine").await.unwrap().status, 204);
    assert_eq!(simulator.dials(), 1);
    connector.set.close().await;
    let counts = connector.set.status()[0].counts;
    assert_eq!((counts.publishes, counts.publishes_failed, counts.publishes_unhandled), (4, 3, 0));
    connector.ended().await.unwrap();
}

/// P7. `close` closes the socket, and then the loop connects again.
#[tokio::test]
async fn a_closed_source_does_not_come_back() {
    let simulator = server().any_source(true).start().await.unwrap();
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a", "b"]);
    for source in ["a", "b"] {
        connector.connected(source).await;
    }
    connector.source("a").close();
    within(connector.source("a").wait_for(|state| *state == SourceState::Closed)).await;
    simulator.source("a").wait_detached().await.unwrap();
    // By now a source that comes back would have done so many times: the backoff is 20 ms at most.
    for n in 0..4 {
        simulator.source("b").cut(Cut::Abort).await.unwrap();
        simulator.source("b").wait_sessions(n + 2).await.unwrap();
    }
    assert_eq!(simulator.source("a").sessions(), 1);
    connector.source("a").reconnect();
    connector.set.close().await;
    let dials = simulator.dials();
    connector.ended().await.unwrap();
    simulator.wait_for("no link", |it| it.links() == 0).await.unwrap();
    assert_eq!(simulator.dials(), dials);
    assert_eq!((simulator.source("a").sessions(), simulator.source("b").sessions()), (1, 5));
}

/// P7. Not only while connected: `close` is heard in every wait.
#[tokio::test]
async fn a_stop_is_heard_while_dialling_while_waiting_and_while_refused() {
    let simulator = simulator().await;
    let an_hour = Duration::from_hours(1);
    let set = || hasty::<Echo>().backoff(an_hour, an_hour).dial_deadline(an_hour).step_deadline(an_hour);

    simulator.on_next_upgrades(1, UpgradeReply::NoAnswer);
    let dialling = Connector::start(set(), &simulator, &["a"]);
    simulator.wait_for("a dial", |it| it.dials() == 1).await.unwrap();
    dialling.stop().await.unwrap();

    simulator.on_next_validates(1, &ValidateReply::NoAnswer);
    let validating = Connector::start(set(), &simulator, &["a"]);
    simulator.wait_for("`validate`", |it| count(it, "validate") == 1).await.unwrap();
    validating.stop().await.unwrap();

    simulator.source("a").refuse_times(1, Refusal::Silent);
    let attaching = Connector::start(set(), &simulator, &["a"]);
    simulator.wait_for("`connectExtension`", |it| count(it, "connectExtension") == 1).await.unwrap();
    attaching.stop().await.unwrap();

    simulator.source("a").refuse_times(100, Refusal::NotActive);
    let refused = Connector::start(set(), &simulator, &["a"]);
    refused.waiting("a", "not currently active").await;
    refused.stop().await.unwrap();

    simulator.stop().await.unwrap();
    let waiting = Connector::start(set(), &simulator, &["a"]);
    waiting.waiting("a", "cannot connect").await;
    waiting.stop().await.unwrap();
}

/// Closes its source when told to.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Quitter(Source);

impl SourceHandler for Quitter {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn publish(&self, _: Value) -> Result<()> {
        self.0.close();
        Ok(())
    }

    async fn close(self) {
        let _late = self.0.notify(&json!("bye")).await;
    }
}

/// P7. A handler may close its own source; what it notifies on its way out still arrives.
#[tokio::test]
async fn a_handler_may_close_its_own_source_and_the_set_ends_with_the_last() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Quitter>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    source.publish(1).await.unwrap();
    connector.ended().await.unwrap();
    assert_eq!(source.next_notification().await.unwrap().object, json!("bye"));
    assert_eq!(simulator.dials(), 1);
    simulator.wait_for("no link", |it| it.links() == 0).await.unwrap();
}

/// P7, P13. A server that says nothing any more cannot hold up the end.
#[tokio::test]
async fn a_stop_does_not_wait_for_a_silent_server() {
    let simulator = simulator().await;
    let connector = Connector::start(ConnectorSet::builder().source::<Deaf>(), &simulator, &["a"]);
    connector.connected("a").await;
    simulator.source("a").go_silent().unwrap();
    let begun = Instant::now();
    connector.stop().await.unwrap();
    // Two seconds for an answer to the close frame; the heartbeat would take twenty.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

/// P8. The waits grow over the life of the process.
#[tokio::test]
async fn the_delays_begin_anew_after_a_session_that_has_proved_itself() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>().backoff(millis(8), millis(600_000)), &simulator, &["a"]);
    for cycle in 1..=4 {
        source.wait_sessions(cycle).await.unwrap();
        source.publish(cycle).await.unwrap();
        until(&source, json!({"published": cycle})).await;
        simulator.on_next_upgrades(4, UpgradeReply::Status(503));
        source.cut(Cut::Abort).await.unwrap();
    }
    source.wait_sessions(5).await.unwrap();
    let delays = delays(&log);
    assert_eq!(delays.len(), 20, "one lost link and four failed dials in each cycle");
    for (index, delay) in delays.iter().enumerate() {
        let bound = millis(8 << (index % 5));
        assert!(*delay <= bound, "delay {index} is above {bound:?}: {delays:?}");
    }
    connector.stop().await.unwrap();
}

/// P1, P8. The opposite: a session alone proves nothing.
#[tokio::test]
async fn the_delays_grow_while_the_server_drops_every_session_at_once() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let set = ConnectorSet::builder().source::<Deaf>().backoff(millis(8), millis(600_000));
    let connector = Connector::start(set, &simulator, &["a"]);
    for session in 1..=8 {
        source.wait_sessions(session).await.unwrap();
        source.cut(Cut::Close).await.unwrap();
    }
    source.wait_sessions(9).await.unwrap();
    let delays = delays(&log);
    // Eight draws, all below the first bound: once in 2^28 times.
    assert!(delays.iter().any(|delay| *delay > millis(8)), "{delays:?}");
    connector.stop().await.unwrap();
}

/// P9. Only one of the shapes is recognised, the others are tried again for ever.
#[tokio::test]
async fn a_refused_token_ends_the_set_with_a_typed_error_whatever_its_shape() {
    let code = Some("io.vantiq.authentication.failed");
    let (message, short) =
        (Some("Failed to authenticate supplied credentials."), Some("Authentication failed"));
    for (status, shape, code, message) in [
        (400, FailureBody::List, code, message),
        (401, FailureBody::List, code, message),
        (400, FailureBody::Object, code, message),
        (401, FailureBody::Error, None, short),
        (400, FailureBody::Text, None, short),
        (403, FailureBody::Null, None, None),
        (400, FailureBody::Missing, None, None),
    ] {
        let simulator = simulator().await;
        simulator.on_validate(ValidateReply::refuse_with(status, shape));
        let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
        let error = connector.ended().await.unwrap_err();
        assert_eq!(error.exit_code(), 77);
        let ConnectorError::CredentialsRefused(cause) = error else { panic!("{shape:?}: {error:?}") };
        assert_eq!(cause.status, Status(status), "{shape:?}");
        assert_eq!((cause.code.as_deref(), cause.message.as_deref()), (code, message), "{shape:?}");
        assert_eq!(simulator.dials(), 1, "{shape:?}");
        simulator.wait_for("no link", |it| it.links() == 0).await.unwrap();
    }
}

/// P9. A wrong token, checked by the server.
#[tokio::test]
async fn a_wrong_token_is_a_typed_error() {
    let simulator = simulator().await;
    let connector = Connector::start_with(hasty::<Echo>(), config(&simulator, &["a"]).auth_token("wrong"));
    let error = connector.ended().await.unwrap_err();
    assert!(matches!(error, ConnectorError::CredentialsRefused(_)), "{error:?}");
}

/// P9. An overloaded server says nothing about the token.
#[tokio::test]
async fn a_server_that_cannot_check_the_token_at_present_is_asked_again() {
    let simulator = simulator().await;
    simulator.on_next_validates(1, &ValidateReply::refuse_with(503, FailureBody::Missing));
    simulator.on_next_validates(1, &ValidateReply::refuse_with(429, FailureBody::List));
    simulator.on_next_validates(1, &ValidateReply::refuse_with(500, FailureBody::Text));
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    assert_eq!(simulator.dials(), 4);
    connector.stop().await.unwrap();
}

/// P10. The same log line for a healthy token and a dead one, and restarts without end.
#[tokio::test]
async fn a_token_that_dies_later_is_named_in_the_log_and_the_status_and_ends_nothing() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    assert!(!log.text().contains("refused"), "nothing of the kind while all is well");
    simulator.on_validate(ValidateReply::refuse());
    source.cut(Cut::Close).await.unwrap();
    let state = connector.waiting("a", "refused the access token").await;
    let line = log.line("refused the access token").await;
    for part in ["status 400", "io.vantiq.authentication.failed", "Failed to authenticate"] {
        assert!(line.contains(part) && state.contains(part), "{line} {state}");
    }
    let dials = simulator.dials();
    simulator.wait_for("further attempts", |it| it.dials() > dials + 1).await.unwrap();
    simulator.on_validate(ValidateReply::Check);
    connector.connected("a").await;
    connector.stop().await.unwrap();
}

/// Sends six notifications of which the server refuses the second and the fifth; returns the receipts.
async fn notify_six(simulator: &Simulator, ours: &Source) -> Vec<Receipt> {
    let (source, before) = (simulator.source("a"), count(simulator, "notification"));
    let mut receipts = Vec::new();
    for n in 0..6 {
        source.acknowledge(if n % 3 == 1 {
            let message = format!("no room for {n}");
            Acknowledge::WithError { status: 500, code: "io.vantiq.server.error".into(), message }
        } else {
            Acknowledge::NotificationsOnly
        });
        receipts.push(ours.notify(&json!(n)).await.unwrap());
        let arrived = |it: &Simulator| count(it, "notification") == before + n + 1;
        simulator.wait_for("the notification", arrived).await.unwrap();
    }
    receipts
}

/// What a receipt says: `None` for an acknowledgement, else the status, code and message of the refusal.
type Told = Option<(Status, Option<String>, Option<String>)>;

async fn told(receipts: Vec<Receipt>) -> Vec<Told> {
    let mut told = Vec::new();
    for receipt in receipts {
        told.push(match within(receipt).await {
            Ok(Delivery::Acknowledged) => None,
            Err(DeliveryError::Rejected(ServerError { status, code, message, .. })) => {
                Some((status, code, message))
            }
            other => panic!("{other:?}"),
        });
    }
    told
}

fn expected_of_six() -> Vec<Told> {
    let refused = |n: u8| {
        let code = Some("io.vantiq.server.error".to_owned());
        Some((Status(500), code, Some(format!("no room for {n}"))))
    };
    vec![None, refused(1), None, None, refused(4), None]
}

/// P11. Errors are only logged.
#[tokio::test]
async fn a_refused_notification_says_so_on_its_own_receipt_and_on_no_other() {
    let simulator = simulator().await;
    let connector = Connector::start(ConnectorSet::builder().source::<Deaf>(), &simulator, &["a"]);
    connector.connected("a").await;
    let ours = connector.source("a");
    let receipts = notify_six(&simulator, &ours).await;
    assert_eq!(told(receipts).await, expected_of_six());
    let counts = ours.status().counts;
    assert_eq!((counts.notifications_delivered, counts.notifications_rejected), (4, 2));
    connector.stop().await.unwrap();
}

/// P11. The same with a server that does not acknowledge `connectExtension`, when it is still in doubt whether
/// it does: the receipts may then be late, but not wrong.
#[tokio::test]
async fn a_refused_notification_is_told_from_others_while_acknowledgements_are_in_doubt() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let connector = Connector::start(ConnectorSet::builder().source::<Deaf>(), &simulator, &["a"]);
    connector.connected("a").await;
    let receipts = notify_six(&simulator, &connector.source("a")).await;
    assert_eq!(told(receipts).await, expected_of_six());
    connector.stop().await.unwrap();
}

/// P11. No flow control: what is not acknowledged piles up at a server that cannot keep up.
#[tokio::test]
async fn no_more_is_under_way_than_the_window_and_no_more_is_kept_than_the_outbox() {
    let simulator = Simulator::builder().source("a", json!({})).acknowledge(Acknowledge::Nothing);
    let simulator = simulator.start().await.unwrap();
    let source = simulator.source("a");
    let set = ConnectorSet::builder().source::<Broken>().window(4, 1 << 20).outbox(10, 1 << 20);
    let connector = Connector::start(set, &simulator, &["a"]);
    connector.connected("a").await;
    let ours = connector.source("a");
    let mut receipts = Vec::new();
    for n in 0..10 {
        receipts.push(ours.notify(&json!(n)).await.unwrap());
    }
    assert!(matches!(ours.try_notify(&json!("more")), Err(NotifyError::Full)));
    source.wait_notifications(4).await.unwrap();
    for _ in 0..5 {
        assert_eq!(source.query("fine").await.unwrap().status, 204);
    }
    assert_eq!(source.notification_count(), 4, "more than the window");
    for under_way in [4, 8, 10] {
        source.wait_notifications(under_way).await.unwrap();
        // One for each notification, and for whatever else the server might have meant.
        for _ in 0..10 {
            source.send_raw(r#"{"status":200}"#).await.unwrap();
        }
    }
    for receipt in receipts {
        within(receipt).await.unwrap();
    }
    let events: Vec<_> = source.notifications().into_iter().map(|event| event.object).collect();
    assert_eq!(events, (0..10).map(|n| json!(n)).collect::<Vec<_>>());
    connector.stop().await.unwrap();
}

/// Notifies the length of each text that is published.
#[derive(VantiqSource)]
#[vantiq_source("a", publish = String)]
struct Length(Source);

impl SourceHandler for Length {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn publish(&self, text: String) -> Result<()> {
        self.0.notify(&text.len()).await?;
        Ok(())
    }
}

/// P12. A megabyte closes the socket, again and again.
#[tokio::test]
async fn a_publish_of_many_megabytes_arrives_in_one_frame_or_in_several() {
    const MIB: usize = 1 << 20;
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Length>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    // The last is more than the queue of publishes holds.
    for size in [MIB, 3 * MIB + 1, 17 * MIB] {
        source.publish("x".repeat(size)).await.unwrap();
        assert_eq!(source.next_notification().await.unwrap().object, json!(size));
        source.send_fragmented("x".repeat(size)).await.unwrap();
        assert_eq!(source.next_notification().await.unwrap().object, json!(size));
    }
    assert_eq!(simulator.dials(), 1);
    connector.stop().await.unwrap();
}

/// P13. A silent server hangs the connector.
#[tokio::test]
async fn a_server_that_is_silent_at_any_step_of_the_handshake_is_given_up_and_dialled_again() {
    type Mute = fn(&Simulator);
    let mutes: [(&str, Mute); 3] = [
        ("did not answer in time", |simulator| simulator.on_upgrade(UpgradeReply::NoAnswer)),
        ("did not answer `validate`", |simulator| simulator.on_validate(ValidateReply::NoAnswer)),
        ("did not answer `connectExtension`", |simulator| simulator.source("a").refuse(Refusal::Silent)),
    ];
    for (why, mute) in mutes {
        let simulator = simulator().await;
        mute(&simulator);
        let set = hasty::<Echo>().dial_deadline(millis(150)).step_deadline(millis(150));
        let connector = Connector::start(set, &simulator, &["a"]);
        connector.waiting("a", why).await;
        simulator.wait_for("a second dial", |it| it.dials() >= 2).await.unwrap();
        simulator.on_upgrade(UpgradeReply::Accept);
        simulator.on_validate(ValidateReply::Check);
        simulator.source("a").accept();
        connector.connected("a").await;
        connector.stop().await.unwrap();
        simulator.wait_for("no link", |it| it.links() == 0).await.unwrap();
    }
}

/// P13. The delivery of `validate` is not guaranteed; one that is lost is no reason to dial again.
#[tokio::test]
async fn a_lost_validate_is_sent_again_on_the_same_link() {
    let simulator = simulator().await;
    simulator.on_next_validates(1, &ValidateReply::NoAnswer);
    let connector = Connector::start(hasty::<Echo>().step_deadline(millis(1_200)), &simulator, &["a"]);
    connector.connected("a").await;
    assert_eq!((count(&simulator, "validate"), simulator.dials()), (2, 1));
    connector.stop().await.unwrap();
}

/// P14. One fatal source raises out of `run_connectors`, and the others run on, orphaned.
#[tokio::test]
async fn a_fatal_error_of_one_source_ends_all_others_before_the_set_returns() {
    let simulator = server().any_source(true).start().await.unwrap();
    simulator.on_next_validates(2, &ValidateReply::NoAnswer);
    simulator.on_next_validates(1, &ValidateReply::refuse());
    let names = ["a", "b", "c"];
    let connector = Connector::start(hasty::<Echo>(), &simulator, &names);
    let sources = names.map(|name| connector.source(name));
    let error = connector.ended().await.unwrap_err();
    assert!(matches!(error, ConnectorError::CredentialsRefused(_)), "{error:?}");
    for source in sources {
        assert_eq!(source.status().state, SourceState::Closed, "{}", source.name());
        assert!(matches!(source.notify(&json!(1)).await, Err(NotifyError::Closed)));
    }
    simulator.wait_for("no link", |it| it.links() == 0).await.unwrap();
    assert_eq!(simulator.dials(), 3);
}

/// Panics in `connect`.
#[derive(VantiqSource)]
#[vantiq_source("panics")]
struct Panics;

impl SourceHandler for Panics {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        panic!("as the test wants it")
    }
}

/// P14. What is not fatal stays with its source.
#[tokio::test]
async fn a_source_that_is_refused_or_whose_handler_panics_leaves_the_others_alone() {
    let simulator = server().any_source(true).start().await.unwrap();
    simulator.source("refused").refuse(Refusal::UnknownSource);
    let connector =
        Connector::start(hasty::<Echo>().source::<Panics>(), &simulator, &["refused", "panics", "well"]);
    let unavailable = |state: &SourceState| matches!(state, SourceState::Unavailable(_));
    within(connector.source("panics").wait_for(unavailable)).await;
    connector.waiting("refused", "does not exist").await;
    connector.connected("well").await;
    let query = simulator.source("well").query(1).await.unwrap();
    assert_eq!(query.body, 1);
    let error = error_of(&simulator.source("panics"), json!(1)).await;
    assert_eq!(error.message_code, QueryError::UNAVAILABLE);
    connector.stop().await.unwrap();
}

/// Words that no output may contain.
const SECRETS: [&str; 5] = [
    "t0ken-of-the-test",
    "s3cret-of-the-test",
    "pr0xy-of-the-test",
    "c0nfig-of-the-test",
    "simulated-access",
];

fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "`{secret}` in {text}");
    }
}

fn secret_settings(simulator: &Simulator) -> ServerConfigBuilder {
    config(simulator, &["a"]).reconnect_secret(SECRETS[1]).set("ownPassword", SECRETS[0])
}

/// P15. `repr` prints token and secret, `str` fails.
#[tokio::test]
async fn debug_works_for_everything_public_and_shows_no_secret() {
    let simulator = Simulator::builder().source("a", json!({"password": SECRETS[3]})).token(SECRETS[0]);
    let simulator = simulator.start().await.unwrap();
    let proxied = format!("http://user:{}@127.0.0.1:9", SECRETS[2]);
    let settings = secret_settings(&simulator).set("proxy", proxied);
    let first = format!("{settings:?} {:?}", Secret::new(SECRETS[0]));
    let config = settings.build().unwrap();
    let builder = hasty::<Echo>().own_key("ownPassword").config(config.clone());
    let second = format!("{config:#?} {builder:?}");
    let set = builder.build().unwrap();
    let (handle, source) = (set.handle(), set.handle().source("a").unwrap());
    let receipt = source.notify(&json!({"password": SECRETS[3]})).await.unwrap();
    let third = format!("{set:#?} {handle:#?} {source:#?} {:?} {receipt:?}", handle.status());
    let shown = [first, second, third].concat();
    assert_no_secret(&shown);
    for part in ["[redacted]", "ConnectorSet", "Source", "Receipt"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }

    simulator.on_validate(ValidateReply::refuse());
    let refused = Connector::start_with(hasty::<Echo>(), secret_settings(&simulator));
    assert_no_secret(&format!("{refused:?}"));
    assert_no_secret(&format!("{:?}", refused.ended().await.unwrap_err()));
}

/// Notifies a part of its configuration and panics with it when it is queried.
#[derive(VantiqSource)]
#[vantiq_source("a")]
struct Careful(Source, Value);

impl SourceHandler for Careful {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        Ok(Self(source, config))
    }

    async fn publish(&self, _: Value) -> Result<()> {
        self.0.notify(&self.1).await?;
        Ok(())
    }

    async fn query(&self, _: Value, rows: &mut Rows) -> Result<Answer> {
        assert_no_secret(&format!("{rows:?}"));
        Answer::row(&self.1)
    }
}

/// P15, P10. At no level does the log show a secret: not in frames, not when things go wrong.
#[tokio::test]
async fn the_whole_log_of_a_session_shows_no_secret() {
    let log = Log::capture();
    let configuration = json!({"password": SECRETS[3]});
    let simulator = server().source("a", configuration.clone()).token(SECRETS[0]);
    let simulator = simulator.start().await.unwrap();
    let source = simulator.source("a");
    let set = hasty::<Careful>();
    let connector = Connector::start_with(set.own_key("ownPassword"), secret_settings(&simulator));
    source.wait_attached().await.unwrap();
    source.publish(1).await.unwrap();
    assert_eq!(source.next_notification().await.unwrap().object, configuration);
    assert_eq!(source.query(1).await.unwrap().body, configuration);
    // Half a configuration, and one of an odd shape.
    let half = format!(r#"{{"op":"configureExtension","object":{{"config":{{"password":"{}"#, SECRETS[3]);
    source.send_raw(half).await.unwrap();
    source.send_raw(format!(r#"{{"op":"configureExtension","object":"{}"}}"#, SECRETS[3])).await.unwrap();
    source.send_raw(format!(r#"{{"status":200,"body":{{"userInfo":"{}"}}}}"#, SECRETS[4])).await.unwrap();
    source.configure(configuration.clone()).await.unwrap();
    log.line("dropped a frame").await;
    simulator.on_next_validates(1, &ValidateReply::refuse());
    source.cut(Cut::Abort).await.unwrap();
    log.line("refused the access token").await;
    connector.connected("a").await;
    connector.stop().await.unwrap();
    let text = log.text();
    // The simulator shows events, as it should.
    let ours: Vec<_> = text.lines().filter(|line| !line.contains("vantiq_simulator")).collect();
    let traced = |line: &&str| line.contains("TRACE") && line.contains("ConfigureExtension");
    assert!(ours.iter().any(traced), "what is received is traced: {text}");
    assert_no_secret(&ours.join("\n"));
}

/// P15. A uuid1 secret tells the host and the time, so that others can guess it.
#[tokio::test]
async fn reconnect_secrets_have_nothing_in_common() {
    let simulator = server().any_source(true).start().await.unwrap();
    let names = ["a", "b", "c"];
    let connector = Connector::start(hasty::<Echo>(), &simulator, &names);
    for name in names {
        connector.connected(name).await;
    }
    let mut secrets = Vec::new();
    for message in simulator.received().iter().filter(|message| message.op() == Some("connectExtension")) {
        let (name, parameters) = (&message.json["resourceId"], &message.json["parameters"]);
        let secret = parameters["reconnectSecret"].as_str().unwrap();
        let random = secret.strip_prefix(&format!("{}_", name.as_str().unwrap())).unwrap();
        assert!(random.len() >= 32, "{random} is no 128 bits");
        secrets.push(random.to_owned());
    }
    // In a uuid1 the last twelve digits are the host's and the first eight run with the time.
    for part in [|secret: &str| secret[..8].to_owned(), |secret: &str| secret[secret.len() - 12..].to_owned()]
    {
        let mut parts: Vec<_> = secrets.iter().map(|secret| part(secret)).collect();
        parts.sort();
        parts.dedup();
        assert_eq!(parts.len(), 3, "{secrets:?}");
    }
    connector.stop().await.unwrap();
}

/// P17. The protocol keeps the socket, Python opens a new one.
#[tokio::test]
async fn reconnect_required_begins_a_new_session_on_the_same_link() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    for session in 1..=3 {
        until(&source, json!({"configured": if session == 1 { json!({}) } else { json!({"n": session}) }}))
            .await;
        source.configure(json!({"n": session + 1})).await.unwrap();
        source.wait_sessions(session + 1).await.unwrap();
    }
    until(&source, json!({"configured": {"n": 4}})).await;
    // The author may ask for the same.
    connector.connected("a").await;
    connector.source("a").reconnect();
    source.wait_sessions(5).await.unwrap();
    assert_eq!(simulator.dials(), 1);
    assert_eq!((count(&simulator, "validate"), count(&simulator, "connectExtension")), (1, 5));
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// P17. In the restart window that follows, the link is kept as well.
#[tokio::test]
async fn a_source_that_is_restarting_is_asked_for_again_on_the_same_link() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    source.refuse_times(2, Refusal::NoAssociatedStream);
    source.reconnect_required().await.unwrap();
    source.wait_sessions(2).await.unwrap();
    assert_eq!((simulator.dials(), count(&simulator, "connectExtension")), (1, 4));
    connector.stop().await.unwrap();
}

/// P18. Any peer can end a connector with an operation that is meant for tests.
#[tokio::test]
async fn a_request_to_close_that_is_meant_for_tests_is_ignored() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    for raw in [
        r#"{"op":"testRequestsClientClose"}"#,
        r#"{"op":"testRequestsClientClose","resourceName":"sources","resourceId":"a","object":{}}"#,
        r#"{"op":"connectionHasBeenClosed"}"#,
    ] {
        source.send_raw(raw).await.unwrap();
    }
    assert_eq!(source.query(1).await.unwrap().body, 1);
    log.line("unknown operation").await;
    assert_eq!((simulator.dials(), simulator.links(), source.sessions()), (1, 1, 1));
    connector.stop().await.unwrap();
}

/// P19. Anything but `configureExtension` is an error during the handshake.
#[tokio::test]
async fn what_comes_before_the_configuration_waits_for_it() {
    let simulator = simulator().await;
    let source = simulator.source("a");
    source.refuse(Refusal::Silent);
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    simulator.wait_for("`connectExtension`", |it| count(it, "connectExtension") == 1).await.unwrap();
    for raw in [
        r#"{"op":"somethingNew","object":{}}"#,
        r#"{"op":"publish","resourceName":"sources","resourceId":"a","object":"first"}"#,
        r#"{"op":"query","resourceId":"a","messageHeaders":{"REPLY_ADDR_HEADER":"early"},"object":"question"}"#,
        r#"{"op":"publish","resourceName":"sources","resourceId":"a","object":"second"}"#,
        r#"{"status":200}"#,
    ] {
        source.send_raw(raw).await.unwrap();
    }
    assert_eq!(source.notification_count(), 0);
    source.configure_now(json!({"late": true})).await.unwrap();
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(source.next_notification().await.unwrap().object);
    }
    let expected = [
        json!({"configured": {"late": true}}),
        json!({"published": "first"}),
        json!({"published": "second"}),
    ];
    assert_eq!(events, expected);
    let answered = |message: &vantiq_simulator::Received| {
        message.json["headers"]["X-Reply-Address"] == "early" && message.json["body"] == "question"
    };
    let is_answered = |it: &Simulator| it.received().iter().any(answered);
    simulator.wait_for("the answer to the early query", is_answered).await.unwrap();
    assert_eq!(simulator.dials(), 1);
    connector.stop().await.unwrap();
}

/// P19. Undecodable JSON drops the socket.
#[tokio::test]
async fn a_frame_that_is_no_message_is_dropped_and_the_link_stays() {
    let (log, simulator) = (Log::capture(), simulator().await);
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    let deep = "[".repeat(10_000);
    let frames =
        ["", "{not json", "[]", "null", "7", "\"text\"", "{}", r#"{"op":7}"#, r#"{"status":"x"}"#, &deep];
    for raw in frames {
        source.send_raw(raw).await.unwrap();
        source.send_raw(raw.as_bytes()).await.unwrap();
    }
    source.send_raw(&[0xff, 0xfe, b'{', 0][..]).await.unwrap();
    assert_eq!(source.query(1).await.unwrap().body, 1);
    assert_eq!(connector.source("a").status().counts.undecodable, 2 * frames.len() as u64 + 1);
    assert_eq!((simulator.dials(), source.sessions()), (1, 1));
    let longest = log.text().lines().filter(|line| line.contains("dropped a frame")).map(str::len).max();
    assert!(longest.is_some_and(|longest| longest < 1_000), "what is logged of a frame is cut: {longest:?}");
    connector.stop().await.unwrap();
}
