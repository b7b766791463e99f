//! Bad input: each piece of it ends in one clear error in the right place, with nothing else harmed and
//! nothing lost. What only a real process shows is in `program.rs`.
#![forbid(unsafe_code)]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use vantiq_connector::{ConnectorError, HealthError, SourceState, TransportErrorKind, prelude::*};
use vantiq_connector_tests::{Connector, Gate, Log, chain, config, config_at, hasty, within};
use vantiq_simulator::{
    Acknowledge, FailureBody, QueryReply, Refusal, Simulator, UpgradeReply, ValidateReply,
};

#[derive(Deserialize)]
struct Settings {
    general: General,
}

#[derive(Deserialize)]
struct General {
    name: String,
    ports: Vec<u16>,
}

#[derive(Deserialize)]
struct SetPoint {
    target: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Ask {
    Name,
    Ports { first: usize },
}

/// Expects a certain shape of everything. Notifies what it accepted.
#[derive(VantiqSource)]
#[vantiq_source(config = Settings, publish = SetPoint, query = Ask)]
struct Typed(Source, Settings);

impl SourceHandler for Typed {
    async fn connect(source: Source, config: Settings) -> Result<Self> {
        Ok(Self(source, config))
    }

    async fn publish(&self, message: SetPoint) -> Result<()> {
        self.0.notify(&json!({"accepted": message.target})).await?;
        Ok(())
    }

    async fn query(&self, ask: Ask, rows: &mut Rows) -> Result<Answer> {
        match ask {
            Ask::Name => Answer::row(&json!({"name": self.1.general.name})),
            Ask::Ports { first } => {
                rows.send_all(self.1.general.ports.iter().skip(first)).await?;
                Ok(Answer::done())
            }
        }
    }
}

/// The configuration of [`Typed`].
fn settings(name: &str) -> Value {
    json!({"general": {"name": name, "ports": [1, 2, 3]}})
}

async fn name_of(source: &vantiq_simulator::Source) -> Value {
    source.query("name").await.unwrap().body["name"].clone()
}

#[track_caller]
fn code(reply: &QueryReply) -> String {
    reply.error().unwrap_or_else(|| panic!("{reply:?} is no error")).message_code
}

// ---- settings ----

/// A folder for the files of one test, emptied at its start.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bad_input").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn build(file: &Path) -> ConnectorError {
    ConnectorSet::builder().source::<Typed>().config_file(file).build().unwrap_err()
}

/// A missing `server.config`.
#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let file = folder("missing").join("server.config");
    let error = build(&file);
    assert_eq!(error.exit_code(), 64);
    let shown = chain(&error);
    assert!(shown.contains(file.to_str().unwrap()) && shown.contains("cannot be read"), "{shown}");
}

/// A malformed `server.config`.
#[test]
fn every_mistake_in_the_file_names_file_line_and_key() {
    const START: &str = "targetServer=http://localhost\nauthToken=canary\n";
    let folder = folder("malformed");
    for (number, (line, key, expected)) in [
        ("sources=a\nsendPings=maybe", "`sendPings`", "`maybe`; write true or false"),
        ("sources=a\ntcpProbePort=http", "`tcpProbePort`", "a port from 0 to 65535"),
        ("sources=a\ntcpProbePort=65536", "`tcpProbePort`", "a port from 0 to 65535"),
        ("sources=a\nfailOnConnectionError=2", "`failOnConnectionError`", "write true or false"),
        ("sources=a\nmaxMessageBytes=12", "`maxMessageBytes`", "1024 or more"),
        ("sources=a\nhealthPolicy=sometimes", "`healthPolicy`", "manual or connected"),
        ("sources=a\nproxy=socks5://h", "`proxy`", "http://host:port"),
        ("sources=a\nconnectKWArgs={'disableSslVerification': True}", "`connectKWArgs`", "JSON"),
        ("sources=a\ntargetServer=ftp://localhost", "`targetServer`", "http"),
        ("sources=a\nreconnectSecret=\\u12", "`\\u`", "four hexadecimal digits"),
        ("\nsources=a,,b", "`sources`", "empty entry"),
        ("\nsources=a, b, a", "`sources`", "`a` twice"),
        ("\nsources=a b", "`sources`", "white space"),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.join(format!("{number}.config"));
        std::fs::write(&file, format!("{START}{line}\n")).unwrap();
        let error = build(&file);
        assert_eq!(error.exit_code(), 64, "{line}");
        let shown = chain(&error);
        for part in [&format!("{}:4:", file.display()), key, expected] {
            assert!(shown.contains(part), "{part} is not in: {shown}");
        }
        assert!(!shown.contains("canary") && !shown.contains('\n'), "{shown}");
    }
}

/// A malformed `server.config`: no text, and without a key that is required.
#[test]
fn a_file_that_is_no_text_or_lacks_a_key_says_what_to_write() {
    let file = folder("incomplete").join("server.config");
    for (bytes, expected) in [
        (&b"targetServer=http://localhost\xff\n"[..], "is not UTF-8"),
        (b"authToken=t\nsources=a\n", "`targetServer` is missing; write"),
        (b"targetServer=http://localhost\nauthToken=t\n", "`sources` is missing; write"),
        (b"", "is missing; write"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let shown = chain(&build(&file));
        assert!(shown.contains(expected) && shown.contains(file.to_str().unwrap()), "{shown}");
    }
}

// ---- the server ----

/// A wrong URL: other programs answer with an HTTP status.
#[tokio::test]
async fn an_http_status_instead_of_a_websocket_is_told_and_tried_again() {
    for status in [200, 503] {
        let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
        simulator.on_upgrade(UpgradeReply::Status(status));
        let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
        let why = connector.waiting("a", "").await;
        for part in [&simulator.url()["http://".len()..], &status.to_string(), "check `targetServer`"] {
            assert!(why.contains(part), "{part} is not in: {why}");
        }
        simulator.on_upgrade(UpgradeReply::Accept);
        simulator.source("a").wait_attached().await.unwrap();
        assert_eq!(name_of(&simulator.source("a")).await, "a");
        connector.stop().await.unwrap();
    }
}

/// A wrong URL: the right host and a path that is not the server's.
#[tokio::test]
async fn a_wrong_path_is_told_with_the_url_that_was_dialled() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let url = format!("{}/elsewhere", simulator.url());
    let connector = Connector::start_with(hasty::<Typed>(), config_at(&url, "token", &["a"]));
    let why = connector.waiting("a", "").await;
    assert!(why.contains("/elsewhere/api/v1/wsock/websocket") && why.contains("status 200"), "{why}");
    connector.stop().await.unwrap();
}

/// A wrong URL: a port that nobody listens on.
#[tokio::test]
async fn a_closed_port_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}");
    let (kind, shown) = Connector::unreachable(hasty::<Typed>(), config_at(&url, "token", &["a"])).await;
    assert!(matches!(kind, TransportErrorKind::Unreachable { .. }), "{kind:?}");
    assert!(shown.contains(&format!("cannot connect to ws://{address}/api")), "{shown}");

    let connector = Connector::start_with(hasty::<Typed>(), config_at(&url, "token", &["a"]));
    let why = connector.waiting("a", "").await;
    assert!(why.contains(&address.to_string()), "{why}");
    connector.stop().await.unwrap();
}

/// A wrong URL: a port where something else is spoken.
#[tokio::test]
async fn a_port_that_speaks_something_else_is_told() {
    for answer in
        ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "\0\0\0\0\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"]
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let answering = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            let _ = connection.read_to_end(&mut Vec::new()).await;
        });
        let settings = config_at(&format!("http://{address}"), "token", &["a"]);
        let (kind, shown) = Connector::unreachable(hasty::<Typed>(), settings).await;
        assert!(matches!(kind, TransportErrorKind::NotWebSocket { .. }), "{answer:?}: {kind:?}");
        assert!(shown.contains(&address.to_string()) && shown.contains("check `targetServer`"), "{shown}");
        within(answering).await.unwrap();
    }
}

/// A wrong URL: a port that accepts and says nothing, or hangs up at once.
#[tokio::test]
async fn a_port_that_stays_silent_or_hangs_up_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let set = || hasty::<Typed>().dial_deadline(Duration::from_millis(200));
    let connector = Connector::start_with(set(), config_at(&url, "token", &["a"]));
    let why = connector.waiting("a", "").await;
    assert!(why.contains("did not answer in time"), "{why}");
    connector.stop().await.unwrap();

    let hanging_up = tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            drop(connection);
        }
    });
    let connector = Connector::start_with(hasty::<Typed>(), config_at(&url, "token", &["a"]));
    let why = connector.waiting("a", "").await;
    assert!(why.contains(url.trim_start_matches("http://")), "{why}");
    assert!(why.contains("does not speak WebSocket; check `targetServer`"), "{why}");
    connector.stop().await.unwrap();
    hanging_up.abort();
}

/// A refused token, in every shape of body.
#[tokio::test]
async fn a_refused_token_ends_the_set_with_what_the_server_said() {
    for (status, body, said) in [
        (400, FailureBody::List, "io.vantiq.authentication.failed: Failed to authenticate"),
        (401, FailureBody::Object, "io.vantiq.authentication.failed: Failed to authenticate"),
        (403, FailureBody::Error, "Authentication failed"),
        (400, FailureBody::Text, "Authentication failed"),
        (400, FailureBody::Null, "status 400"),
        (401, FailureBody::Missing, "status 401"),
    ] {
        let simulator = Simulator::builder().any_source(true).start().await.unwrap();
        simulator.on_validate(ValidateReply::refuse_with(status, body));
        let connector = Connector::start(hasty::<Typed>(), &simulator, &["a", "b", "c"]);
        let error = connector.ended().await.unwrap_err();
        assert!(matches!(error, ConnectorError::CredentialsRefused(_)), "{error:?}");
        assert_eq!(error.exit_code(), 77);
        let shown = chain(&error);
        assert!(shown.contains("check `authToken`") && shown.contains(said), "{shown}");
        assert!(!shown.contains(simulator.token()), "{shown}");
        simulator.wait_for("no link", |simulator| simulator.links() == 0).await.unwrap();
    }
}

/// A refused token: a wrong one, with nothing forced.
#[tokio::test]
async fn a_wrong_token_is_refused() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let settings = config(&simulator, &["a"]).auth_token("canary");
    let error = Connector::start_with(hasty::<Typed>(), settings).ended().await.unwrap_err();
    assert!(matches!(error, ConnectorError::CredentialsRefused(_)), "{error:?}");
    assert!(!format!("{error:?} {}", chain(&error)).contains("canary"));
}

/// A token refused after it was accepted once: nothing is lost when it is good again.
#[tokio::test]
async fn a_token_refused_later_is_tried_again() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    simulator.on_validate(ValidateReply::refuse());
    source.cut(vantiq_simulator::Cut::Abort).await.unwrap();
    // Before that it waits because the link was lost.
    let why = connector.waiting("a", "refused the access token").await;
    assert!(why.contains("io.vantiq.authentication.failed"), "{why}");
    let receipt = connector.source("a").notify(&json!({"kept": true})).await.unwrap();
    simulator.on_validate(ValidateReply::Check);
    within(receipt).await.unwrap();
    assert_eq!(source.next_notification().await.unwrap().object, json!({"kept": true}));
    connector.stop().await.unwrap();
}

/// An unknown source: one clear state, the others unharmed, and healed when the source is created.
#[tokio::test]
async fn an_unknown_source_waits_until_it_is_created() {
    let simulator = Simulator::builder().source("known", settings("known")).start().await.unwrap();
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["known", "unknown"]);
    let why = connector.waiting("unknown", "").await;
    assert!(
        why.contains("refused the source: status 400") && why.contains("unknown does not exist"),
        "{why}"
    );
    simulator.source("known").wait_attached().await.unwrap();
    assert_eq!(name_of(&simulator.source("known")).await, "known");
    let kept = connector.source("unknown").notify(&json!({"kept": true})).await.unwrap();

    simulator.source("unknown").configure(settings("created")).await.unwrap();
    simulator.source("unknown").wait_attached().await.unwrap();
    assert_eq!(name_of(&simulator.source("unknown")).await, "created");
    within(kept).await.unwrap();
    assert_eq!(simulator.source("known").sessions(), 1);
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// A source that is never answered for stops promptly all the same.
#[tokio::test]
async fn a_refused_source_can_be_stopped() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    simulator.source("a").refuse(Refusal::NotActive);
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
    connector.waiting("a", "").await;
    connector.stop().await.unwrap();
    simulator.wait_for("no link", |simulator| simulator.links() == 0).await.unwrap();
}

// ---- what the server sends ----

/// A configuration of the wrong shape.
#[tokio::test]
async fn a_wrong_configuration_is_answered_to_every_query_and_healed_by_the_next() {
    let wrong = json!({"general": {"name": "a", "ports": [1, "canary", 3]}});
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", wrong).source("b", settings("b")).start().await.unwrap();
    let (source, other) = (simulator.source("a"), simulator.source("b"));
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a", "b"]);
    let misconfigured = |state: &SourceState| matches!(state, SourceState::Misconfigured(_));
    let state = within(connector.source("a").wait_for(misconfigured)).await.to_string();
    assert!(state.contains("general.ports[1]") && state.contains("expected u16"), "{state}");
    assert!(!state.contains("canary"), "{state}");
    for _ in 0..2 {
        let reply = source.query("name").await.unwrap();
        assert_eq!(code(&reply), QueryError::CONFIGURATION);
        assert!(reply.body.to_string().contains("general.ports[1]"), "{reply:?}");
    }
    source.publish(json!({"target": 1})).await.unwrap();
    assert_eq!(name_of(&other).await, "b");
    assert!(source.is_attached(), "it stays attached");
    let error = log.line("expected shape").await;
    assert!(
        error.contains("ERROR") && error.contains("general.ports[1]") && error.contains("=\"a\""),
        "{error}"
    );

    source.configure(settings("healed")).await.unwrap();
    source.wait_sessions(2).await.unwrap();
    assert_eq!(name_of(&source).await, "healed");
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.links, counts.sessions, counts.publishes_unhandled), (1, 2, 1));
    assert_eq!(log.text().matches("has not the expected shape").count(), 1, "not retried in a loop");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// A payload of the wrong shape: a query.
#[tokio::test]
async fn a_query_of_the_wrong_shape_is_answered_with_the_field() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for (query, expected) in [
        (json!({"ports": {"first": "one"}}), "`ports.first`: invalid type: string \"one\", expected usize"),
        (json!({"ports": {}}), "missing field `first`"),
        (json!("colours"), "unknown variant `colours`, expected `name` or `ports`"),
        (json!({}), "expected"),
        (json!(null), "expected"),
        (json!([1, 2]), "expected"),
    ] {
        let reply = source.query(query.clone()).await.unwrap();
        assert_eq!(code(&reply), QueryError::SHAPE, "{query}");
        assert!(
            reply.error().unwrap().parameters[0].as_str().unwrap().contains(expected),
            "{query}: {reply:?}"
        );
    }
    assert_eq!(source.query(json!({"ports": {"first": 1}})).await.unwrap().rows(), [2, 3]);
    assert_eq!(connector.source("a").status().counts.queries_failed, 6);
    connector.stop().await.unwrap();
    assert_eq!((simulator.dials(), simulator.violations()), (1, Vec::new()));
}

/// A payload of the wrong shape: a publish.
#[tokio::test]
async fn a_publish_of_the_wrong_shape_is_logged_and_counted_and_the_next_is_handled() {
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for message in [json!({"target": "canary"}), json!({"aim": 1}), json!("canary"), json!({"target": 2.5})] {
        source.publish(message).await.unwrap();
    }
    assert_eq!(source.next_notification().await.unwrap().object, json!({"accepted": 2.5}));
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.publishes, counts.publishes_failed, counts.sessions), (4, 3, 1));
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("a publish failed")).collect();
    assert!(lines[0].contains("target") && lines[0].contains("expected f64"), "{lines:?}");
    assert!(lines[1].contains("missing field `target`"), "{lines:?}");
    assert_eq!(lines.len(), 3);
    assert!(!text.contains("canary"), "values stay out of the log");
    connector.stop().await.unwrap();
}

/// A frame that is not JSON, or no message of the protocol.
#[tokio::test]
async fn a_frame_that_is_no_message_is_logged_and_dropped() {
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    let no_messages: [&[u8]; 9] = [
        b"<html>502 Bad Gateway</html>",
        b"{\"op\":\"publish\",\"object\":{\"target\":",
        b"\xff\xfe\x00\x01",
        b"[{\"op\":\"publish\",\"object\":{\"target\":1}}]",
        b"[200]",
        b"",
        b"null",
        b"{}",
        b"{\"op\":\"publish\",\"object\":{\"target\":1}} trailing",
    ];
    for frame in no_messages {
        source.send_raw(frame).await.unwrap();
        source.publish(json!({"target": frame.len()})).await.unwrap();
        let notification = source.next_notification().await.unwrap().object;
        assert_eq!(notification["accepted"].as_f64(), Some(json!(frame.len()).as_f64().unwrap()));
    }
    source.send_raw(r#"{"op":"selfDestruct","resourceName":"sources"}"#).await.unwrap();
    source.send_raw(r#"{"op":"testRequestsClientClose"}"#).await.unwrap();
    assert_eq!(name_of(&source).await, "a");
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.undecodable, counts.links, counts.sessions), (9, 1, 1));
    let text = log.text();
    let logged = text.matches("dropped a frame that is no message").count();
    assert!((5..9).contains(&logged), "all are counted, and of so many at once a few are logged: {logged}");
    assert_eq!(text.matches("has an unknown operation").count(), 2);
    connector.stop().await.unwrap();
    assert_eq!((simulator.dials(), simulator.violations()), (1, Vec::new()));
}

/// Frames of every kind that is no bad input.
#[tokio::test]
async fn messages_in_text_binary_and_fragmented_frames_are_read() {
    for text in [true, false] {
        let simulator =
            Simulator::builder().source("a", settings("a")).text_frames(text).start().await.unwrap();
        let source = simulator.source("a");
        let connector = Connector::start(hasty::<Typed>(), &simulator, &["a"]);
        source.wait_attached().await.unwrap();
        source.send_fragmented(json!({"target": 1.5})).await.unwrap();
        assert_eq!(source.next_notification().await.unwrap().object, json!({"accepted": 1.5}));
        connector.stop().await.unwrap();
        assert_eq!(simulator.dials(), 1);
    }
}

// ---- the probe ----

/// A port in use: an error for the caller, and nothing else.
#[tokio::test]
async fn a_probe_port_in_use_is_an_error_to_the_caller_and_harms_nothing() {
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let settings = config(&simulator, &["a"]).set("tcpProbePort", port.to_string());
    let connector = Connector::start_with(hasty::<Typed>(), settings);
    simulator.source("a").wait_attached().await.unwrap();
    for _ in 0..2 {
        let error = connector.source("a").declare_healthy().await.unwrap_err();
        assert!(matches!(error, HealthError::PortInUse { port: named } if named == port), "{error:?}");
        assert!(error.to_string().contains(&port.to_string()) && error.to_string().contains("tcpProbePort"));
        assert_eq!(connector.set.is_healthy(), None, "health stays as it was");
    }
    assert_eq!(name_of(&simulator.source("a")).await, "a");
    drop(taken);
    connector.set.declare_healthy().await.unwrap();
    assert_eq!(connector.set.is_healthy(), Some(true));
    within(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    connector.stop().await.unwrap();
}

/// A port in use, where nobody calls: an error in the log.
#[tokio::test]
async fn a_probe_port_in_use_under_the_health_policy_is_logged() {
    let log = Log::capture();
    let simulator = Simulator::builder().source("a", settings("a")).start().await.unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let settings = config(&simulator, &["a"]).set("tcpProbePort", &port).set("healthPolicy", "connected");
    let connector = Connector::start_with(hasty::<Typed>(), settings);
    let error = log.line("cannot declare the connector healthy").await;
    assert!(error.contains("ERROR") && error.contains(&port), "{error}");
    assert_eq!(name_of(&simulator.source("a")).await, "a");
    connector.stop().await.unwrap();
}

// ---- calls that go wrong ----

/// Two sources with the same handler type: a mistake in the configuration of one is none of the other.
#[tokio::test]
async fn two_sources_of_one_handler_type_have_their_own_configurations() {
    let simulator = Simulator::builder()
        .source("a", settings("first"))
        .source("b", settings("second"))
        .start()
        .await
        .unwrap();
    let (a, b) = (simulator.source("a"), simulator.source("b"));
    let connector = Connector::start(hasty::<Typed>(), &simulator, &["a", "b"]);
    a.wait_attached().await.unwrap();
    b.wait_attached().await.unwrap();
    assert_eq!((name_of(&a).await, name_of(&b).await), (json!("first"), json!("second")));
    a.configure(json!({})).await.unwrap();
    a.wait_sessions(2).await.unwrap();
    assert_eq!(code(&a.query("name").await.unwrap()), QueryError::CONFIGURATION);
    assert_eq!(name_of(&b).await, "second");
    a.configure(settings("third")).await.unwrap();
    a.wait_sessions(3).await.unwrap();
    assert_eq!((name_of(&a).await, name_of(&b).await), (json!("third"), json!("second")));
    assert_eq!(b.sessions(), 1);
    connector.stop().await.unwrap();
}

/// Does what the query says.
#[derive(VantiqSource)]
#[vantiq_source(query = Deed)]
struct Doer(Source);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Deed {
    /// Waits for the shared gate.
    Wait,
    /// Sends a row, then never ends.
    Hang,
    Panic,
    /// Rows of this many bytes, as one list.
    Rows(usize, usize),
    /// The same, one by one.
    Stream(usize, usize),
    /// One row.
    Row(usize),
    Ok,
}

impl SourceHandler for Doer {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn query(&self, deed: Deed, rows: &mut Rows) -> Result<Answer> {
        let row = |size: usize| json!({"row": "x".repeat(size)});
        match deed {
            Deed::Wait => {
                self.0.notify(&json!("waiting")).await?;
                self.0.shared::<Gate>()?.pass().await;
                Ok(Answer::empty())
            }
            Deed::Hang => {
                rows.send(&1).await?;
                std::future::pending().await
            }
            Deed::Panic => panic!("as asked for"),
            Deed::Rows(count, size) => Answer::rows((0..count).map(|_| row(size))),
            Deed::Stream(count, size) => {
                rows.send_all((0..count).map(|_| row(size))).await?;
                Ok(Answer::done())
            }
            Deed::Row(size) => Answer::row(&row(size)),
            Deed::Ok => Answer::row(&"ok"),
        }
    }
}

/// More queries at once than may run: those too many are refused at once, all others answered.
#[tokio::test]
async fn of_forty_queries_at_once_eight_are_busy() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let gate = Gate::closed();
    let set = hasty::<Doer>().max_queries(32).shared_arc(Arc::clone(&gate));
    let connector = Connector::start(set, &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    let mut replies = FuturesUnordered::new();
    for _ in 0..40 {
        replies.push(source.start_query("wait").await.unwrap().reply());
    }
    for _ in 0..8 {
        // No permit was given, so none of the others can be answered before.
        let reply = within(replies.next()).await.unwrap().unwrap();
        assert_eq!(code(&reply), QueryError::BUSY);
        assert_eq!(reply.error().unwrap().parameters, ["a", "32"]);
    }
    gate.open(32);
    for _ in 0..32 {
        assert_eq!(within(replies.next()).await.unwrap().unwrap().status, 204);
    }
    assert_eq!(source.query("ok").await.unwrap().body, "ok", "there is room again");
    assert_eq!(connector.source("a").status().counts.queries_busy, 8);
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// A query that hangs.
#[tokio::test]
async fn a_query_that_hangs_is_answered_at_its_deadline() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let set = hasty::<Doer>().query_deadline(Duration::from_millis(300)).max_queries(1);
    let connector = Connector::start(set, &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for _ in 0..2 {
        let reply = source.query("hang").await.unwrap();
        assert_eq!((code(&reply).as_str(), reply.rows()), (QueryError::TIMEOUT, vec![json!(1)]));
        assert_eq!(reply.error().unwrap().parameters, ["a", "0.3"]);
    }
    assert_eq!(source.query("ok").await.unwrap().body, "ok", "it has given its place back");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// A query that panics.
#[tokio::test]
async fn a_query_that_panics_is_answered_and_the_next_is_handled() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(hasty::<Doer>().max_queries(1), &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    for _ in 0..3 {
        assert_eq!(code(&source.query("panic").await.unwrap()), QueryError::PANICKED);
    }
    assert_eq!(source.query("ok").await.unwrap().body, "ok");
    assert_eq!((simulator.dials(), source.sessions()), (1, 1));
    connector.stop().await.unwrap();
}

/// An answer larger than a message may be.
#[tokio::test]
async fn a_large_answer_is_split_or_refused() {
    const MAX: usize = 4096;
    let simulator = Simulator::builder().source("a", json!({})).inbound_limit(MAX).start().await.unwrap();
    let source = simulator.source("a");
    let settings = config(&simulator, &["a"]).set("maxMessageBytes", MAX.to_string());
    let connector = Connector::start_with(hasty::<Doer>(), settings);
    source.wait_attached().await.unwrap();
    for deed in ["rows", "stream"] {
        let reply = source.query(json!({deed: [50, 1000]})).await.unwrap();
        assert_eq!((reply.status, reply.rows().len()), (200, 50), "{deed}");
        assert!(reply.partials.len() >= 12, "{deed}: {} partials", reply.partials.len());
    }
    for deed in [json!({"row": MAX}), json!({"rows": [1, MAX]})] {
        let reply = source.query(deed.clone()).await.unwrap();
        assert_eq!(code(&reply), QueryError::TOO_LARGE, "{deed}");
        assert_eq!(reply.error().unwrap().parameters[1], MAX.to_string());
    }
    // Here the handler learns it first, and passes it on.
    let reply = source.query(json!({"stream": [1, MAX]})).await.unwrap();
    assert!(reply.is_error() && reply.body.to_string().contains("maxMessageBytes"), "{reply:?}");
    let sizes: Vec<_> = simulator.received().iter().map(|message| message.text.len()).collect();
    assert!(sizes.iter().all(|size| *size <= MAX), "{sizes:?}");
    assert_eq!(source.query("ok").await.unwrap().body, "ok");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// Shutdown in the middle of queries: each is answered, within the grace or at its end.
#[tokio::test]
async fn shutdown_answers_the_queries_in_flight() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let gate = Gate::closed();
    let set = hasty::<Doer>().shared_arc(Arc::clone(&gate)).grace(Duration::from_secs(1));
    let connector = Connector::start(set, &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    let mut first = source.start_query("wait").await.unwrap();
    source.wait_notifications(1).await.unwrap();
    let second = source.start_query("wait").await.unwrap();
    source.wait_notifications(2).await.unwrap();
    let closing = tokio::spawn(connector.stop());
    // It is refused as soon as the set is stopping, and asked again until then.
    let refused = async { while code_or_ok(&source.query("ok").await.unwrap()) != QueryError::CLOSING {} };
    within(refused).await;
    gate.open(1);
    assert_eq!(within(first.next_partial()).await.unwrap(), None);
    assert_eq!(within(first.reply()).await.unwrap().status, 204, "it ended within the grace");
    assert_eq!(code(&within(second.reply()).await.unwrap()), QueryError::CLOSING);
    let Err(ConnectorError::Abandoned(abandoned)) = within(closing).await.unwrap() else { panic!() };
    assert_eq!((abandoned.queries, abandoned.publishes, abandoned.handlers), (1, 0, 0));
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

fn code_or_ok(reply: &QueryReply) -> String {
    reply.error().map_or_else(|| "ok".to_owned(), |error| error.message_code)
}

/// A notification that the server refuses: its receipt says so, and the next is delivered.
#[tokio::test]
async fn a_refused_notification_is_an_error_of_its_receipt() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    source.acknowledge(Acknowledge::WithError { status: 500, code: "c".into(), message: "too much".into() });
    let connector = Connector::start(hasty::<Doer>(), &simulator, &["a"]);
    connector.connected("a").await;
    let refused = connector.source("a").notify(&json!({"n": 1})).await.unwrap();
    let error = within(refused).await.unwrap_err();
    assert!(chain(&error).ends_with("status 500, c: too much"), "{}", chain(&error));
    source.acknowledge(Acknowledge::NotificationsOnly);
    within(connector.source("a").notify(&json!({"n": 2})).await.unwrap()).await.unwrap();
    let counts = connector.source("a").status().counts;
    assert_eq!((counts.notifications_rejected, counts.notifications_delivered), (1, 1));
    connector.stop().await.unwrap();
}
