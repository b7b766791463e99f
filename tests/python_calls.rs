//! Every call and every callback of the Python SDK `vantiqconnectorsdk`, done with this crate.
//!
//! Each test names the Python calls that it stands for. `setup_logging` and the token of the environment
//! belong to a whole process and are tested with one, and the encryption that `connectKWArgs` speaks of needs
//! a server with a certificate.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use vantiq_connector::{
    CancellationToken, ConnectorSetBuilder, SourceState,
    prelude::*,
    protocol::{Status, name},
};
use vantiq_connector_tests::{Connector, Echo, Gate, Log, config, within};
use vantiq_simulator::{Cut, QueryReply, Simulator, UpgradeReply};

/// A callback, with the name of the source that Python finds in its context.
#[derive(Debug, PartialEq)]
enum Call {
    Connect(String, Value),
    Publish(String, Value),
    Query(String, Value),
    Close(String),
}

/// Where [`Callbacks`] puts its calls.
struct Calls(UnboundedSender<Call>);

impl Calls {
    fn shared() -> (ConnectorSetBuilder, UnboundedReceiver<Call>) {
        let (calls_tx, calls_rx) = unbounded_channel();
        (ConnectorSet::builder().source::<Callbacks>().shared(Self(calls_tx)), calls_rx)
    }
}

/// Records the four callbacks.
#[derive(VantiqSource)]
#[vantiq_source]
struct Callbacks {
    source: Source,
    calls: Arc<Calls>,
}

impl Callbacks {
    fn call(&self, call: impl FnOnce(String) -> Call) -> Result<()> {
        Ok(self.calls.0.send(call(self.source.name().to_owned()))?)
    }
}

impl SourceHandler for Callbacks {
    async fn connect(source: Source, config: Value) -> Result<Self> {
        let callbacks = Self { calls: source.shared()?, source };
        callbacks.call(|name| Call::Connect(name, config))?;
        Ok(callbacks)
    }

    async fn publish(&self, message: Value) -> Result<()> {
        self.call(|name| Call::Publish(name, message))
    }

    async fn query(&self, query: Value, _: &mut Rows) -> Result<Answer> {
        self.call(|name| Call::Query(name, query))?;
        Ok(Answer::empty())
    }

    async fn close(self) {
        self.call(Call::Close).expect("the test reads the calls until the set has ended");
    }
}

async fn next(calls_rx: &mut UnboundedReceiver<Call>) -> Call {
    within(calls_rx.recv()).await.expect("the set holds the other end")
}

fn a() -> String {
    "a".to_owned()
}

/// What was sent over the wire in answer to `address`: status and body of each message.
fn answers(simulator: &Simulator, address: &str) -> Vec<(u16, Option<Value>)> {
    let received = simulator.received();
    let answers = received.iter().filter(|message| message.json["headers"][name::REPLY_ADDRESS] == address);
    answers
        .map(|message| {
            let status = u16::try_from(message.status().expect("an answer has a status"));
            (status.expect("and a short one"), message.json.get("body").cloned())
        })
        .collect()
}

fn connect_extensions(simulator: &Simulator) -> Vec<Value> {
    let received = simulator.received().into_iter();
    received.map(|message| message.json).filter(|json| json["op"] == "connectExtension").collect()
}

/// `VantiqConnectorSet()`, `get_sources`, `get_connections`, `get_connection_for_source`, `run_connectors`.
#[tokio::test]
async fn a_set_connects_every_source_of_its_settings() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let names = ["b", "pump.station", "a"];
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &names);
    for name in names {
        connector.connected(name).await;
        assert_eq!(connector.source(name).name(), name);
        assert!(simulator.source(name).is_attached());
    }
    let sources: Vec<_> = connector.set.sources().iter().map(Source::name).collect();
    assert_eq!(sources, names, "in the order of the settings");
    assert_eq!(connector.set.status().len(), 3);
    assert!(connector.set.source("c").is_none());
    assert_eq!(simulator.links(), 3, "one WebSocket per source");
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// `configure_handlers_for_all`, and `VantiqConnector.SOURCE_NAME` of the context.
#[tokio::test]
async fn one_handler_serves_all_sources_and_knows_for_which_it_was_called() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).source("b", json!({"n": 2}));
    let simulator = simulator.start().await.unwrap();
    let (set, mut calls_rx) = Calls::shared();
    let connector = Connector::start(set, &simulator, &["a", "b"]);
    for source in ["a", "b"] {
        connector.connected(source).await;
        simulator.source(source).publish(json!(source)).await.unwrap();
    }
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(next(&mut calls_rx).await);
    }
    for (source, n) in [("a", 1), ("b", 2)] {
        assert!(calls.contains(&Call::Connect(source.into(), json!({"n": n}))), "{calls:?}");
        assert!(calls.contains(&Call::Publish(source.into(), json!(source))), "{calls:?}");
    }
    connector.stop().await.unwrap();
}

#[derive(VantiqSource)]
#[vantiq_source("gate")]
struct GateKeeper;

impl SourceHandler for GateKeeper {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, _: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row("gate keeper")
    }
}

#[derive(VantiqSource)]
#[vantiq_source("camera-*")]
struct Camera;

impl SourceHandler for Camera {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, _: Value, _: &mut Rows) -> Result<Answer> {
        Answer::row("camera")
    }
}

/// `configure_handlers`: each connection with handlers of its own.
#[tokio::test]
async fn each_source_has_the_handler_that_names_it() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let set = ConnectorSet::builder().source::<Camera>().source::<Echo>().source::<GateKeeper>();
    let connector = Connector::start(set, &simulator, &["gate", "camera-1", "other"]);
    for (source, answer) in
        [("gate", json!("gate keeper")), ("camera-1", json!("camera")), ("other", json!(1))]
    {
        connector.connected(source).await;
        assert_eq!(simulator.source(source).query(json!(1)).await.unwrap().body, answer, "{source}");
    }
    connector.stop().await.unwrap();
}

/// `connect_to_vantiq`: one connection, and what it says first.
#[tokio::test]
async fn a_connection_presents_the_token_and_then_asks_for_its_source() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let connector = Connector::start(
        ConnectorSet::builder().source::<Callbacks>().shared(Calls(unbounded_channel().0)),
        &simulator,
        &["a"],
    );
    simulator.source("a").wait_attached().await.unwrap();
    let mut messages: Vec<_> = simulator.received().into_iter().map(|message| message.json).collect();
    let secret = messages[1]["parameters"][name::RECONNECT_SECRET].take();
    assert!(secret.as_str().is_some_and(|secret| secret.starts_with("a_")), "{secret}");
    assert_eq!(
        messages,
        [
            json!({"op": "validate", "resourceName": "system.credentials", "object": simulator.token()}),
            json!({"op": "connectExtension", "resourceName": "sources", "resourceId": "a",
                "parameters": {"reconnectSecret": null}}),
        ]
    );
    connector.stop().await.unwrap();
}

/// `send_notification`, from outside of any handler as from within one.
#[tokio::test]
async fn a_notification_is_an_event_of_its_source_as_it_was_given() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a"]);
    connector.connected("a").await;
    assert_eq!(source.next_notification().await.unwrap().object, json!({"configured": {}}));
    for event in [json!({"temp": 21.5, "unit": "°C", "none": null}), json!([{"row": 1}, {"row": 2}])] {
        let receipt = connector.source("a").notify(&event).await.unwrap();
        assert_eq!(source.next_notification().await.unwrap().object, event);
        let sent = simulator.received().pop().unwrap().json;
        assert_eq!(
            sent,
            json!({"op": "notification", "resourceName": "sources", "resourceId": "a", "object": event})
        );
        within(receipt).await.unwrap();
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// `send_notification` while there is no connection: Python raises or waits, here it is kept.
#[tokio::test]
async fn a_notification_that_is_sent_before_there_is_a_link_arrives_once_there_is_one() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    simulator.on_upgrade(UpgradeReply::Status(503));
    let (set, _calls_rx) = Calls::shared();
    let set = set.backoff(Duration::from_millis(1), Duration::from_millis(20));
    let connector = Connector::start(set, &simulator, &["a"]);
    let receipt = connector.source("a").notify(&json!({"early": true})).await.unwrap();
    simulator.wait_for("a failed dial", |simulator| simulator.dials() > 0).await.unwrap();
    simulator.on_upgrade(UpgradeReply::Accept);
    assert_eq!(simulator.source("a").next_notification().await.unwrap().object, json!({"early": true}));
    within(receipt).await.unwrap();
    connector.stop().await.unwrap();
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Form {
    CompleteRow,
    CompleteRows,
    CompleteNoRows,
    Empty,
    PartialsThenComplete,
    PartialsThenEmpty,
    Error,
    ErrorWithoutParameters,
}

/// Answers in the form it is asked for.
#[derive(VantiqSource)]
#[vantiq_source("a", query = Form)]
struct Forms;

impl SourceHandler for Forms {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }

    async fn query(&self, form: Form, rows: &mut Rows) -> Result<Answer> {
        match form {
            Form::CompleteRow => Answer::row(&json!({"row": 1})),
            Form::CompleteRows => Answer::rows([json!({"row": 1}), json!({"row": 2})]),
            Form::CompleteNoRows => Answer::rows(Vec::<Value>::new()),
            Form::Empty => Ok(Answer::empty()),
            Form::PartialsThenComplete => {
                partials(rows).await?;
                Answer::row(&json!({"row": 4}))
            }
            Form::PartialsThenEmpty => {
                partials(rows).await?;
                Ok(Answer::empty())
            }
            Form::Error => {
                let error = QueryError::new("com.example.bad", "{0} is a bad {1}").parameter("x's {}");
                Err(error.parameter(7).into())
            }
            Form::ErrorWithoutParameters => Err(QueryError::new("com.example.off", "switched off").into()),
        }
    }
}

/// A partial answer of two rows, and one of one row.
async fn partials(rows: &mut Rows) -> Result<()> {
    rows.send_all([json!({"row": 1}), json!({"row": 2})]).await?;
    rows.flush().await?;
    rows.send(&json!({"row": 3})).await?;
    rows.flush().await?;
    Ok(())
}

async fn forms() -> (Simulator, Connector) {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    // Only `flush` decides about the messages here, and no clock.
    let set = ConnectorSet::builder().source::<Forms>().bundle(500, Duration::from_mins(1));
    let connector = Connector::start(set, &simulator, &["a"]);
    simulator.source("a").wait_attached().await.unwrap();
    (simulator, connector)
}

/// Asks for `form`; returns what the caller got and what went over the wire.
async fn ask(simulator: &Simulator, form: &str) -> (QueryReply, Vec<(u16, Option<Value>)>) {
    let query = simulator.source("a").start_query(form).await.unwrap();
    let address = query.address().to_owned();
    let reply = query.await.unwrap();
    (reply, answers(simulator, &address))
}

/// `send_query_response` with `QUERY_COMPLETE`, `QUERY_EMPTY` and `QUERY_PARTIAL`, a dict and a list.
#[tokio::test]
async fn every_answer_that_python_can_send_goes_out_in_the_same_form() {
    let (simulator, connector) = forms().await;
    let (partial, complete, empty) = (Status::PARTIAL.0, Status::OK.0, Status::EMPTY.0);
    assert_eq!((partial, complete, empty), (100, 200, 204));
    let row = |row: u8| json!({"row": row});
    let partials = || [(partial, Some(json!([row(1), row(2)]))), (partial, Some(json!([row(3)])))];
    for (form, sent, rows) in [
        ("completeRow", vec![(complete, Some(row(1)))], 1),
        ("completeRows", vec![(complete, Some(json!([row(1), row(2)])))], 2),
        ("completeNoRows", vec![(complete, Some(json!([])))], 0),
        ("empty", vec![(empty, None)], 0),
        ("partialsThenComplete", [&partials()[..], &[(complete, Some(row(4)))]].concat(), 4),
        ("partialsThenEmpty", [&partials()[..], &[(empty, None)]].concat(), 3),
    ] {
        let (reply, messages) = ask(&simulator, form).await;
        assert_eq!(messages, sent, "{form}");
        let numbers: Vec<_> = (1..=rows).map(row).collect();
        assert_eq!(reply.rows(), numbers, "{form}");
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// `send_query_error` with `ERROR_CODE`, `ERROR_TEMPLATE` and `ERROR_PARAMETERS`, the latter also empty.
#[tokio::test]
async fn a_query_error_goes_out_as_one_object_of_code_template_and_parameters() {
    let (simulator, connector) = forms().await;
    for (form, body) in [
        (
            "error",
            json!({"messageCode": "com.example.bad", "messageTemplate": "{0} is a bad {1}",
                "parameters": ["x's {}", "7"]}),
        ),
        (
            "errorWithoutParameters",
            json!({"messageCode": "com.example.off", "messageTemplate": "switched off", "parameters": []}),
        ),
    ] {
        let (reply, messages) = ask(&simulator, form).await;
        assert_eq!(messages, [(Status::ERROR.0, Some(body.clone()))], "{form}");
        let error = reply.error().expect("the caller reads it as an error");
        assert_eq!(json!(error.message_code), body["messageCode"]);
        assert_eq!(json!(error.parameters), body["parameters"]);
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// `VantiqConnector.RESPONSE_ADDRESS` of the context.
#[tokio::test]
async fn an_answer_goes_to_the_one_who_asked_whoever_is_answered_first() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let (source, gate) = (simulator.source("a"), Gate::closed());
    let set = ConnectorSet::builder().source::<Echo>().shared_arc(Arc::clone(&gate));
    let connector = Connector::start(set, &simulator, &["a"]);
    source.wait_attached().await.unwrap();
    let first = source.start_query("wait").await.unwrap();
    let second = source.start_query("second").await.unwrap();
    let addresses = [first.address().to_owned(), second.address().to_owned()];
    assert_eq!(second.await.unwrap().body, "second");
    gate.open(1);
    assert_eq!(first.await.unwrap().body, "wait");
    for address in addresses {
        assert_eq!(answers(&simulator, &address).len(), 1);
    }
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// `declare_healthy`, `declare_unhealthy` and `is_healthy`, of the set and of a source.
#[tokio::test]
async fn health_is_undeclared_at_first_and_then_a_port_that_is_open_or_closed() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a", "b"]);
    let (set, a, b) = (&connector.set, connector.source("a"), connector.source("b"));
    let health = || [set.is_healthy(), a.is_healthy(), b.is_healthy()];
    connector.connected("a").await;
    assert_eq!((health(), set.probe_addr()), ([None; 3], None), "nobody has declared anything");

    set.declare_healthy().await.unwrap();
    assert_eq!(health(), [Some(true); 3]);
    let port = set.probe_addr().unwrap().port();
    probe(port).await.unwrap();
    a.declare_healthy().await.unwrap();
    assert_eq!(set.probe_addr().unwrap().port(), port, "open already");
    probe(port).await.unwrap();

    b.declare_unhealthy().await;
    assert_eq!((health(), set.probe_addr()), ([Some(false); 3], None));
    assert!(probe(port).await.is_err(), "the port is closed when the call returns");
    set.declare_unhealthy().await;

    b.declare_healthy().await.unwrap();
    let port = set.probe_addr().unwrap().port();
    probe(port).await.unwrap();
    connector.stop().await.unwrap();
    assert!(probe(port).await.is_err(), "a connector that has stopped is not healthy");
}

/// What a TCP probe does; the other end says nothing and closes.
async fn probe(port: u16) -> std::io::Result<()> {
    let mut connection = within(TcpStream::connect(("127.0.0.1", port))).await?;
    let read = within(connection.read(&mut [0])).await;
    assert!(matches!(read, Ok(0)), "closed without a word, not {read:?}");
    Ok(())
}

/// `close` of the set.
#[tokio::test]
async fn closing_the_set_closes_every_handler_and_every_link() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let (set, mut calls_rx) = Calls::shared();
    let connector = Connector::start(set, &simulator, &["a", "b"]);
    for source in ["a", "b"] {
        connector.connected(source).await;
    }
    within(connector.set.close()).await;
    let closed = |status: &vantiq_connector::SourceStatus| status.state == SourceState::Closed;
    assert!(connector.set.status().iter().all(closed), "{:?}", connector.set.status());
    connector.ended().await.unwrap();
    simulator.wait_for("no link", |simulator| simulator.links() == 0).await.unwrap();
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(next(&mut calls_rx).await);
    }
    for source in ["a", "b"] {
        assert!(calls.contains(&Call::Close(source.into())), "{calls:?}");
    }
}

/// `close` of one connection.
#[tokio::test]
async fn closing_one_source_leaves_the_others_alone() {
    let simulator = Simulator::builder().any_source(true).start().await.unwrap();
    let connector = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a", "b"]);
    for source in ["a", "b"] {
        connector.connected(source).await;
    }
    connector.source("a").close();
    within(connector.source("a").wait_for(|state| *state == SourceState::Closed)).await;
    simulator.wait_for("one link", |simulator| simulator.links() == 1).await.unwrap();
    assert!(connector.source("a").notify(&json!(1)).await.is_err(), "nobody would send it");
    assert_eq!(simulator.source("b").query(json!(1)).await.unwrap().body, 1);
    assert_eq!(connector.source("b").status().state, SourceState::Connected);
    connector.source("b").close();
    connector.ended().await.unwrap();
}

/// Answers with the setting that it is asked for.
#[derive(VantiqSource)]
#[vantiq_source("a", query = String)]
struct SettingsOf(Source);

impl SourceHandler for SettingsOf {
    async fn connect(source: Source, _: Value) -> Result<Self> {
        Ok(Self(source))
    }

    async fn query(&self, key: String, _: &mut Rows) -> Result<Answer> {
        Answer::row(&self.0.server_config().get(&key))
    }
}

/// `get_server_config`.
#[tokio::test]
async fn a_handler_reads_the_settings_those_of_its_own_included() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let settings = config(&simulator, &["a"]).set("plantCode", " W-7 ").set("sendPings", "false");
    let set = ConnectorSet::builder().source::<SettingsOf>().own_key("plantCode");
    let connector = Connector::start_with(set, settings);
    let source = simulator.source("a");
    source.wait_attached().await.unwrap();
    for (key, value) in [
        ("plantCode", json!(" W-7 ")),
        ("sendPings", json!("false")),
        ("targetServer", json!(simulator.url())),
        ("nothing", json!(null)),
    ] {
        assert_eq!(source.query(key).await.unwrap().body, value, "{key}");
    }
    assert_eq!(connector.set.server_config().sources(), ["a"]);
    let url = format!("ws://{}/api/v1/wsock/websocket", simulator.addr());
    assert_eq!(connector.set.server_config().url(), url);
    connector.stop().await.unwrap();
}

/// `get_server_config`: Python warns of no key at all, here one's own keys can be named.
#[tokio::test]
async fn a_key_of_the_connector_s_own_is_no_warning_and_any_other_is() {
    let (log, simulator) =
        (Log::capture(), Simulator::builder().source("a", json!({})).start().await.unwrap());
    let settings = config(&simulator, &["a"]).set("plantCode", "W-7").set("plantCod", "W-8");
    let set = ConnectorSet::builder().source::<SettingsOf>().own_key("plantCode");
    let connector = Connector::start_with(set, settings);
    simulator.source("a").wait_attached().await.unwrap();
    connector.stop().await.unwrap();
    log.line("unknown key `plantCod`").await;
    assert!(!log.text().contains("unknown key `plantCode`"), "{}", log.text());
}

/// A folder of this test run, with nothing in it.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder for tests can be written");
    folder
}

/// `VantiqConnectorSet()` reads its settings, the token included, from a file.
#[tokio::test]
async fn all_settings_may_come_from_a_file() {
    let simulator = Simulator::builder().source("a", json!({})).source("b", json!({}));
    let simulator = simulator.token("töken=with:signs").start().await.unwrap();
    let path = folder("settings").join("server.config");
    let text = format!(
        "# of the test\ntargetServer : {}\nauthToken = {}   \nsources = a , \\\n  b\nproxy none\ntcpProbePort=0\n",
        simulator.url(),
        simulator.token()
    );
    fs::write(&path, text).unwrap();
    let set = ConnectorSet::builder().source::<Echo>().config_file(&path).build().unwrap();
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(set.serve(stop.clone()));
    for source in ["a", "b"] {
        simulator.source(source).wait_attached().await.unwrap();
    }
    stop.cancel();
    within(serving).await.unwrap().unwrap();
}

/// `VantiqConnector.FIXED_RECONNECT_SECRET`: a process that was killed takes its source back, for the server
/// still believes its link alive; a stranger does not get it.
#[tokio::test]
async fn a_configured_reconnect_secret_takes_the_source_back_from_a_dead_process() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let source = simulator.source("a");
    let settings = || config(&simulator, &["a"]).reconnect_secret("s3cret");
    let set = ConnectorSet::builder().source::<Echo>().config(settings().build().unwrap()).build().unwrap();
    let killed = tokio::spawn(set.serve(CancellationToken::new()));
    source.wait_attached().await.unwrap();
    assert_eq!(connect_extensions(&simulator)[0]["parameters"], json!({"reconnectSecret": "a_s3cret"}));
    source.go_silent().unwrap();
    killed.abort();
    assert!(within(killed).await.is_err());

    let stranger = Connector::start(ConnectorSet::builder().source::<Echo>(), &simulator, &["a"]);
    stranger.waiting("a", "already").await;
    stranger.stop().await.unwrap();

    let successor = Connector::start_with(ConnectorSet::builder().source::<Echo>(), settings());
    source.wait_sessions(2).await.unwrap();
    assert_eq!(source.query(json!(1)).await.unwrap().body, 1);
    successor.stop().await.unwrap();
}

/// `handle_connect` and `handle_close`.
#[tokio::test]
async fn connect_and_close_come_in_turn_with_each_configuration() {
    let simulator = Simulator::builder().source("a", json!({"n": 1})).start().await.unwrap();
    let (source, (set, mut calls_rx)) = (simulator.source("a"), Calls::shared());
    let connector = Connector::start(set, &simulator, &["a"]);
    assert_eq!(next(&mut calls_rx).await, Call::Connect(a(), json!({"n": 1})));
    source.configure(json!({"n": 2})).await.unwrap();
    assert_eq!(next(&mut calls_rx).await, Call::Close(a()));
    assert_eq!(next(&mut calls_rx).await, Call::Connect(a(), json!({"n": 2})));
    source.cut(Cut::Abort).await.unwrap();
    assert_eq!(next(&mut calls_rx).await, Call::Close(a()));
    assert_eq!(next(&mut calls_rx).await, Call::Connect(a(), json!({"n": 2})));
    connector.stop().await.unwrap();
    assert_eq!(next(&mut calls_rx).await, Call::Close(a()));
    assert_eq!(within(calls_rx.recv()).await, None, "nothing after the end of the set");
}

/// `handle_publish` and `handle_query`: they get the `object`, which may be any JSON and may be absent.
#[tokio::test]
async fn publish_and_query_get_whatever_object_was_sent() {
    let simulator = Simulator::builder().source("a", json!({})).start().await.unwrap();
    let (source, (set, mut calls_rx)) = (simulator.source("a"), Calls::shared());
    let connector = Connector::start(set, &simulator, &["a"]);
    assert_eq!(next(&mut calls_rx).await, Call::Connect(a(), json!({})));
    for object in [json!({"queryStyle": "NodeId", "x": 1}), json!("text"), json!([1, 2]), json!(null)] {
        source.publish(object.clone()).await.unwrap();
        assert_eq!(next(&mut calls_rx).await, Call::Publish(a(), object.clone()));
        assert_eq!(source.query(object.clone()).await.unwrap().status, 204);
        assert_eq!(next(&mut calls_rx).await, Call::Query(a(), object));
    }
    source.send_raw(r#"{"op":"publish","resourceName":"sources","resourceId":"a"}"#).await.unwrap();
    assert_eq!(next(&mut calls_rx).await, Call::Publish(a(), json!(null)));
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}
