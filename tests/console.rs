//! The simulator's console in a browser: `python/console.py` clicks, and asks here for what happens behind the page.
//!
//! Run where `VANTIQ_PYTHON` names a Python that has the packages of `python/requirements.txt`, and `CHROMIUM` (or
//! `/usr/bin/chromium`) is a browser, as `.ci/run` sees to.
#![forbid(unsafe_code)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message},
};
use vantiq_simulator::Simulator;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_mins(8);
/// Of the flood: each notification is a frame, and so is its acknowledgement.
const NOTIFICATIONS_PER_TICK: usize = 50;
const TICK: Duration = Duration::from_millis(20);

/// Where connectors dial.
const WEB_SOCKET: &str = "/api/v1/wsock/websocket";

type Socket = WebSocketStream<TcpStream>;

/// The Python and the browser to use, or nothing where this test is to be left out.
fn browser() -> Option<(String, PathBuf)> {
    let Ok(python) = env::var("VANTIQ_PYTHON") else {
        eprintln!(
            "SKIPPED: `VANTIQ_PYTHON` names no Python with the packages of tests/python/requirements.txt"
        );
        return None;
    };
    let chromium = PathBuf::from(env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned()));
    if !chromium.exists() {
        eprintln!("SKIPPED: there is no browser at {}", chromium.display());
        return None;
    }
    Some((python, chromium))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_the_console_works() {
    let Some((python, chromium)) = browser() else { return };
    let mut stage = Stage::set().await;
    let mut script = script(&python, &chromium, &stage.simulator);
    let orders = script.stdout.take().unwrap();
    let mut answers = script.stdin.take().unwrap();
    let played = timeout(PATIENCE, async {
        let mut orders = BufReader::new(orders).lines();
        while let Some(order) = orders.next_line().await.unwrap() {
            let answer = stage.follow(&order).await;
            reply(&mut answers, &answer).await;
        }
        script.wait().await.unwrap()
    });
    let status = played.await.expect("it ends in time");
    assert!(status.success(), "the script says above what is wrong");
}

/// Which program is at `/console/` is for the page to know; that it cannot be anything else is for all to rely on.
#[tokio::test(flavor = "multi_thread")]
async fn a_connector_at_the_wrong_path_is_answered_as_ever() {
    let simulator = Simulator::builder().start().await.unwrap();
    for (dials, path) in [(1, "/"), (2, "/console/main.js")] {
        let refused = dial(&simulator, path).await.unwrap_err();
        assert_eq!(refused.to_string(), "HTTP error: 200 OK");
        assert_eq!(simulator.dials(), dials);
    }
}

fn script(python: &str, chromium: &Path, simulator: &Simulator) -> Child {
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("python/console.py"));
    command
        .args([&simulator.console_url(), simulator.token()])
        .env("CHROMIUM", chromium)
        .current_dir(folder());
    command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

async fn reply(answers: &mut ChildStdin, answer: &str) {
    // A script that has ended says why by itself.
    let _ = answers.write_all(format!("{answer}\n").as_bytes()).await;
}

/// Where the connector and the script run; what the page looked like when something was wrong is left there.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("console")
}

/// A simulator with a connector that can be asked, and what the script wants besides.
struct Stage {
    simulator: Simulator,
    flood: Option<JoinHandle<()>>,
    _connector: Child,
}

impl Stage {
    async fn set() -> Self {
        let simulator = start(0, "the+token/%20").await;
        let folder = folder();
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("serverConfig")).unwrap();
        let (url, token) = (simulator.url(), simulator.token());
        let settings = format!("targetServer={url}\nauthToken={token}\nsources=thermostat\ntcpProbePort=0\n");
        std::fs::write(folder.join("serverConfig/server.config"), settings).unwrap();
        let mut connector = Command::new(env!("CARGO_BIN_EXE_thermostat"));
        connector.current_dir(&folder).kill_on_drop(true).stderr(Stdio::null());
        let connector = connector.spawn().unwrap();
        simulator.source("thermostat").wait_attached().await.unwrap();
        Self { simulator, flood: None, _connector: connector }
    }

    /// Does what the script asks for, and says when it is done.
    async fn follow(&mut self, order: &str) -> String {
        match order.split_once(' ').unwrap_or((order, "")) {
            ("publish", body) => self.publish(body).await,
            ("configure", config) => self.configure(config).await,
            ("violate", _) => self.violate().await,
            ("intrude", _) => self.intrude().await,
            ("flood", _) => self.flood = Some(tokio::spawn(flood(attach(&self.simulator, "flood").await))),
            ("calm", _) => self.flood.take().unwrap().abort(),
            ("stop", _) => self.simulator.stop().await.unwrap(),
            ("restart", _) => self.simulator.restart().await.unwrap(),
            ("anew", token) => self.anew(token).await,
            (other, _) => panic!("the script asks for {other}"),
        }
        "done".to_owned()
    }

    async fn publish(&self, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap();
        self.simulator.source("thermostat").publish(body).await.unwrap();
    }

    async fn configure(&self, config: &str) {
        let config: Value = serde_json::from_str(config).unwrap();
        self.simulator.source("thermostat").configure(config).await.unwrap();
    }

    async fn violate(&self) {
        let mut socket = attach(&self.simulator, "odd").await;
        let before = self.simulator.violations().len();
        send(&mut socket, &json!({"op": "dance"})).await;
        self.simulator.wait_for("a violation", |it| it.violations().len() > before).await.unwrap();
    }

    async fn intrude(&self) {
        let mut socket = dial(&self.simulator, WEB_SOCKET).await.unwrap();
        let message = json!({"op": "validate", "resourceName": "system.credentials", "object": "guessed"});
        send(&mut socket, &message).await;
        socket.next().await.unwrap().unwrap();
    }

    /// Another simulator at the same place, which knows nothing of this one.
    async fn anew(&mut self, token: &str) {
        self.simulator.stop().await.unwrap();
        self.simulator = start(self.simulator.addr().port(), token).await;
    }
}

async fn start(port: u16, token: &str) -> Simulator {
    let builder = Simulator::builder().source("thermostat", json!({"unit": "celsius"})).any_source(true);
    builder.token(token).port(port).start().await.unwrap()
}

async fn dial(simulator: &Simulator, path: &str) -> Result<Socket, tungstenite::Error> {
    let connection = TcpStream::connect(simulator.addr()).await.unwrap();
    let (socket, _) = client_async(format!("ws://{}{path}", simulator.addr()), connection).await?;
    Ok(socket)
}

/// A bare connector.
async fn attach(simulator: &Simulator, source: &str) -> Socket {
    let mut socket = dial(simulator, WEB_SOCKET).await.unwrap();
    let token = simulator.token();
    send(&mut socket, &json!({"op": "validate", "resourceName": "system.credentials", "object": token}))
        .await;
    send(&mut socket, &json!({"op": "connectExtension", "resourceName": "sources", "resourceId": source}))
        .await;
    simulator.source(source).wait_attached().await.unwrap();
    socket
}

async fn send(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

/// 2,500 notifications a second, so 5,000 frames, until it is aborted.
async fn flood(socket: Socket) {
    let (mut sink, mut stream) = socket.split();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let send = async {
        for number in 0.. {
            if number % NOTIFICATIONS_PER_TICK == 0 {
                tick.tick().await;
            }
            let event =
                json!({"number": number, "value": 21.5, "unit": "celsius", "<b>bold</b>": "<script>"});
            let message = json!({"op": "notification", "resourceName": "sources", "resourceId": "flood", "object": event});
            sink.feed(Message::text(message.to_string())).await.unwrap();
            if number % NOTIFICATIONS_PER_TICK == NOTIFICATIONS_PER_TICK - 1 {
                sink.flush().await.unwrap();
            }
        }
    };
    let read = async { while stream.next().await.is_some() {} };
    tokio::join!(send, read);
}
