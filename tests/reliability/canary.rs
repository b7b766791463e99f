//! Secrets stay secret: each is a canary that goes through every path of a connector's life, while everything
//! is captured that the process says at the level TRACE.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use vantiq_connector::{
    CancellationToken, ConnectorSetBuilder, ServerConfigBuilder, SourceState, prelude::*,
};
use vantiq_connector_tests::{Connector, Everything, chain, config, hasty, within};
use vantiq_simulator::{
    Cut, FailureBody, QueryReply, Refusal, Simulator, Source as Sim, UpgradeReply, ValidateReply,
};

use crate::run::{Run, block_on_one_thread};

const TOKEN: &str = "canary-token-7f3a";
const SECRET: &str = "canary-secret-91bc";
const PASSWORD: &str = "canary-proxy-2b9f";
const DOCUMENT: &str = "canary-document-4e1d";
const MESSAGE: &str = "canary-message-66a0";
const OWN: &str = "canary-own-0c55";

/// What nobody may see. After ours come `user:` with the proxy's password as it is sent, and the credentials
/// in the simulator's answer to `validate`.
const CANARIES: [&str; 9] = [
    TOKEN,
    SECRET,
    PASSWORD,
    DOCUMENT,
    MESSAGE,
    OWN,
    "dXNlcjpjYW5hcnktcHJveHktMmI5Zg==",
    "simulated-access-token",
    "simulated.id.token",
];

/// Everything is captured on the one thread on which it happens.
pub(crate) fn shows_no_secret(_: &Run) -> String {
    let attacks = async { whole_life().await + end_of_a_set().await + mistakes_in_the_settings().await };
    let captured = block_on_one_thread(attacks);
    format!(
        "{} canaries, 0 occurrences in {} KiB of logs, `Debug`, errors and panics",
        CANARIES.len(),
        captured / 1_024
    )
}

#[track_caller]
fn assert_none(text: &str) {
    for canary in CANARIES {
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "{canary} is in {line:?}");
    }
}

/// Panics or fails where its configuration and its messages say so.
#[derive(VantiqSource)]
#[vantiq_source(config = Document, publish = Deed, query = Deed)]
struct Keeper(Document);

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "password")]
    _password: Checked,
    /// The method that is to panic or, with another word, to fail.
    #[serde(default)]
    panics: String,
}

/// A text that tells itself when it is not accepted.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Checked;

impl TryFrom<String> for Checked {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == DOCUMENT { Ok(Self) } else { Err(format!("{text} is not accepted")) }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deed {
    #[serde(rename = "secret")]
    _secret: String,
    #[serde(default)]
    outcome: Outcome,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    #[default]
    Good,
    Fail,
    Panic,
    Hang,
}

impl Outcome {
    async fn come_about(self) -> Result<()> {
        match self {
            Self::Good => Ok(()),
            Self::Fail => anyhow::bail!("failed as asked for"),
            Self::Panic => panic!("in a call, as asked for"),
            Self::Hang => std::future::pending().await,
        }
    }
}

impl SourceHandler for Keeper {
    async fn connect(_: Source, document: Document) -> Result<Self> {
        assert!(document.panics != "connect", "in connect, as asked for");
        anyhow::ensure!(document.panics != "nothing", "connect failed as asked for");
        Ok(Self(document))
    }

    async fn publish(&self, deed: Deed) -> Result<()> {
        deed.outcome.come_about().await
    }

    async fn query(&self, deed: Deed, _: &mut Rows) -> Result<Answer> {
        deed.outcome.come_about().await?;
        Ok(Answer::empty())
    }

    async fn close(self) {
        assert!(self.0.panics != "close", "in close, as asked for");
    }
}

fn document(panics: &str) -> Value {
    json!({"password": DOCUMENT, "panics": panics})
}

fn deed(outcome: &str) -> Value {
    json!({"secret": MESSAGE, "outcome": outcome})
}

/// A proxy that opens tunnels, or with a refusal none. Returns its URL with user and password.
async fn proxy(refusal: Option<&'static str>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://user:{PASSWORD}@{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(tunnel(BufReader::new(connection), refusal));
        }
    });
    url
}

async fn tunnel(mut connection: BufReader<TcpStream>, refusal: Option<&str>) -> std::io::Result<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    if let Some(refusal) = refusal {
        return connection.write_all(format!("HTTP/1.1 {refusal}\r\n\r\n").as_bytes()).await;
    }
    let mut server = TcpStream::connect(head.split(' ').nth(1).unwrap_or_default()).await?;
    connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut connection, &mut server).await.map(drop)
}

async fn simulator() -> Simulator {
    Simulator::builder().token(TOKEN).source("a", document("")).start().await.unwrap()
}

fn settings(simulator: &Simulator, proxy: &str) -> ServerConfigBuilder {
    config(simulator, &["a"]).reconnect_secret(SECRET).set("proxy", proxy).set("own", OWN)
}

fn keeper() -> ConnectorSetBuilder {
    hasty::<Keeper>().grace(std::time::Duration::from_millis(200))
}

/// What can be shown of a connector by `Debug` and `Display`.
fn shown(connector: &Connector) -> String {
    let source = connector.source("a");
    let status = source.status();
    format!("{:?} {:?} {source:?} {status:?} {}", connector.set, connector.set.server_config(), status.state)
}

#[track_caller]
fn code(reply: &QueryReply) -> String {
    // The answer may quote the question, to whoever asked; but never the configuration.
    let text = reply.body.to_string().replace(MESSAGE, "");
    assert_none(&text);
    reply.error().map_or_else(String::new, |error| error.message_code)
}

async fn ask(source: &Sim, query: impl Into<Value>) -> String {
    code(&within(source.query(query.into())).await.unwrap())
}

/// Gives the source another configuration.
async fn reconfigure(source: &Sim, document: Value) {
    source.configure(document).await.unwrap();
    source.wait_attached().await.unwrap();
}

/// Refusals of every step, and every way to lose a link.
async fn refused_and_cut(simulator: &Simulator, source: &Sim) {
    let bodies = [FailureBody::List, FailureBody::Object, FailureBody::Error, FailureBody::Text];
    for body in bodies.into_iter().chain([FailureBody::Null, FailureBody::Missing]) {
        let sessions = source.sessions();
        simulator.on_next_upgrades(1, UpgradeReply::Status(503));
        simulator.on_next_validates(1, &ValidateReply::refuse_with(401, body));
        source.refuse_times(1, Refusal::AlreadyConnected);
        source.cut(Cut::MidFrame).await.unwrap();
        source.wait_sessions(sessions + 1).await.unwrap();
    }
    for cut in [Cut::Close, Cut::Abort] {
        let sessions = source.sessions();
        source.cut(cut).await.unwrap();
        source.wait_sessions(sessions + 1).await.unwrap();
    }
    let sessions = source.sessions();
    source.reconnect_required().await.unwrap();
    source.wait_sessions(sessions + 1).await.unwrap();
}

/// Frames that are no messages, although secrets are in them.
async fn undecodable(source: &Sim) {
    let configure = json!({"op": "configureExtension", "object": {"config": document("")}}).to_string();
    let validated = json!({"status": 200, "body": {"userInfo": {"accessToken": TOKEN}}}).to_string();
    for text in [&configure, &validated] {
        for part in
            [&text[..text.len() - 3], &text[text.len() / 2..], &text.replace('"', "'"), &format!("[{text}]")]
        {
            source.send_raw(part).await.unwrap();
        }
        source.send_raw([text.as_bytes(), &[0xff]].concat()).await.unwrap();
    }
    source.send_raw(validated).await.unwrap();
    source.send_raw(json!({"status": 500, "body": {"userInfo": TOKEN}}).to_string()).await.unwrap();
    source.send_raw(json!({"op": "unknown", "object": document("")}).to_string()).await.unwrap();
}

/// A source with its secrets through a proxy that wants a password: everything that can happen to it.
async fn whole_life() -> usize {
    let everything = Everything::capture();
    let simulator = simulator().await;
    let source = simulator.source("a");
    let connector = Connector::start_with(keeper(), settings(&simulator, &proxy(None).await));
    source.wait_attached().await.unwrap();
    connector.connected("a").await;
    assert_eq!(ask(&source, deed("good")).await, "");
    assert_none(&shown(&connector));

    // Each handler fails and panics; messages have wrong shapes.
    for wrong in [
        deed("fail"),
        deed("panic"),
        json!(MESSAGE),
        json!({"secret": [MESSAGE]}),
        json!({"secret": 1, "outcome": MESSAGE}),
    ] {
        source.publish(wrong.clone()).await.unwrap();
        assert_ne!(ask(&source, wrong).await, "");
    }
    undecodable(&source).await;
    assert_eq!(ask(&source, deed("good")).await, "", "all of that is survived");
    for (wrong, expected) in [
        (document("connect"), QueryError::UNAVAILABLE),
        (document("nothing"), QueryError::UNAVAILABLE),
        (json!({"password": MESSAGE}), QueryError::CONFIGURATION),
        (json!({"password": [DOCUMENT]}), QueryError::CONFIGURATION),
        (json!({"password": DOCUMENT, "panics": {DOCUMENT: DOCUMENT}}), QueryError::CONFIGURATION),
        (json!([DOCUMENT, DOCUMENT]), ""),
        (json!(DOCUMENT), QueryError::CONFIGURATION),
    ] {
        reconfigure(&source, wrong).await;
        assert_eq!(ask(&source, deed("good")).await, expected);
        assert_none(&shown(&connector));
    }
    reconfigure(&source, document("close")).await;
    assert_eq!(ask(&source, deed("good")).await, "");
    reconfigure(&source, document("")).await;
    refused_and_cut(&simulator, &source).await;
    connector.connected("a").await;

    // Shutdown with calls that do not end.
    source.publish(deed("hang")).await.unwrap();
    let hanging = source.start_query(deed("hang")).await.unwrap();
    assert_eq!(ask(&source, deed("good")).await, "");
    let (stopped, reply) = tokio::join!(connector.stop(), within(hanging.reply()));
    let abandoned = stopped.expect_err("calls that hang are abandoned");
    assert_none(&format!("{abandoned:?} {}", chain(&abandoned)));
    assert_eq!(code(&reply.unwrap()), QueryError::CLOSING);

    let text = everything.text();
    for part in [
        "TRACE source{id=\"a\"}",
        "received",
        "dropped a frame that is no message",
        "has not the expected shape",
        "DEBUG tungstenite",
        "in a call, as asked for",
        "in connect, as asked for",
        "in close, as asked for",
        "the handler panicked in `publish`",
    ] {
        assert!(text.contains(part), "{part:?} was not captured");
    }
    assert_none(&text);
    text.len()
}

/// What ends a set: a refused token, a proxy that opens no tunnel, a server that is not there.
async fn end_of_a_set() -> usize {
    let everything = Everything::capture();
    let simulator = simulator().await;
    simulator.on_next_validates(1, &ValidateReply::refuse());
    let connector = Connector::start_with(keeper(), settings(&simulator, "none"));
    let error = connector.ended().await.unwrap_err();
    assert_none(&format!("{error:?} {}", chain(&error)));
    for refusal in ["407 Proxy Authentication Required", "502 Bad Gateway"] {
        let settings = settings(&simulator, &proxy(Some(refusal)).await);
        let (kind, shown) = Connector::unreachable(keeper(), settings).await;
        assert_none(&format!("{kind:?} {shown}"));
    }
    let connector =
        Connector::start_with(keeper(), settings(&simulator, &proxy(Some("403 Forbidden")).await));
    let waits = |state: &SourceState| matches!(state, SourceState::Waiting(_));
    within(connector.source("a").wait_for(waits)).await;
    assert_none(&shown(&connector));
    connector.stop().await.unwrap();
    let text = everything.text();
    assert!(text.contains("the proxy opened no tunnel"), "{text}");
    assert_none(&text);
    text.len()
}

/// Every mistake in `server.config` beside secrets, and in the lines of secrets themselves.
async fn mistakes_in_the_settings() -> usize {
    let everything = Everything::capture();
    let good = format!(
        "targetServer=https://h\nauthToken={TOKEN}\nsources=a\nreconnectSecret={SECRET}\n\
         proxy=http://user:{PASSWORD}@h:1\nown={OWN}\n"
    );
    for mistake in [
        String::new(),
        "targetServer=\n".into(),
        format!("targetServer=https://user:{PASSWORD}@h\n"),
        format!("targetServer=https://user:{PASSWORD}/3@h\n"),
        format!("targetServer=https://user:{PASSWORD}\n"),
        format!("targetServer=user:{PASSWORD}://h\n"),
        "authToken=\n".into(),
        "sources=\n".into(),
        "sendPings=perhaps\n".into(),
        "tcpProbePort=-1\n".into(),
        "maxMessageBytes=1\n".into(),
        "connectRate=0\n".into(),
        "ackProfile=x\n".into(),
        "healthPolicy=x\n".into(),
        format!("proxy=user:{PASSWORD}@h\n"),
        format!("proxy=https://user:{PASSWORD}@h\n"),
        format!("connectKWArgs={{\"http_proxy_auth\": [\"user\", \"{PASSWORD}\"]}}\n"),
        format!("connectKWArgs={{\"http_proxy_auth\": \"{PASSWORD}\"\n"),
        format!("own={OWN}\\u12\n"),
        format!("authToken={TOKEN}\\\n"),
    ] {
        let config = ServerConfig::parse(&format!("{good}{mistake}"));
        assert_none(&format!("{config:?} {config:#?}"));
        match config {
            Ok(config) => {
                let set = ConnectorSet::builder().source::<Keeper>().config(config);
                assert_none(&format!("{set:?}"));
                let set = set.build().unwrap();
                assert_none(&format!("{set:?}"));
                let stop = CancellationToken::new();
                stop.cancel();
                within(set.serve(stop)).await.unwrap();
            }
            Err(error) => assert_none(&chain(&error)),
        }
    }
    let text = everything.text();
    assert!(text.contains("is ignored"), "the warnings were captured");
    assert_none(&text);
    text.len()
}
