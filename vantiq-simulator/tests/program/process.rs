//! The program as a process, and a bare connector for it.

use std::process::Stdio;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Where tokens are kept in place of the user's folder.
pub(crate) const TOKENS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/tokens");

/// A connector without anything in it.
pub(crate) type Connector = WebSocketStream<TcpStream>;

/// A running program.
pub(crate) struct Program {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    /// Where it listens, and its token, once they were read.
    greeting: Option<(String, String)>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        command.stderr(Stdio::null());
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program exists");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { stdin: child.stdin.take(), stdout, child, greeting: None }
    }

    /// A simulator on a free port with a source `thermostat`, and a connector attached to that.
    pub(crate) async fn with_thermostat() -> (Self, Connector) {
        let mut program = Self::start(&["--port", "0", "--source", r#"thermostat={"unit":"celsius"}"#]);
        let connector = program.attach("thermostat").await;
        (program, connector)
    }

    /// The rest of the first line that starts like this.
    pub(crate) async fn line(&mut self, start: &str) -> String {
        loop {
            let line = self.next_line().await.expect("there are more lines");
            if let Some(rest) = line.trim_start().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    pub(crate) async fn next_line(&mut self) -> Option<String> {
        within(self.stdout.next_line()).await.expect("it is text")
    }

    /// The next line, which is JSON.
    pub(crate) async fn next_json(&mut self) -> Value {
        let line = self.next_line().await.expect("there are more lines");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    pub(crate) async fn type_in(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was not closed");
        within(stdin.write_all(format!("{line}\n").as_bytes())).await.expect("it listens");
    }

    /// Where it listens, as it said when it started.
    pub(crate) async fn greeting(&mut self) -> (String, String) {
        if self.greeting.is_none() {
            let address = self.line("targetServer=http://").await;
            self.greeting = Some((address, self.line("authToken=").await));
        }
        self.greeting.clone().expect("it was read")
    }

    /// A link to the program, and the program's token.
    pub(crate) async fn dial(&mut self) -> (Connector, String) {
        let (address, token) = self.greeting().await;
        let connection = within(TcpStream::connect(&address)).await.expect("it listens");
        let url = format!("ws://{address}/api/v1/wsock/websocket");
        let (stream, _) =
            within(tokio_tungstenite::client_async(url, connection)).await.expect("it upgrades");
        (stream, token)
    }

    /// A connector attached to a source.
    pub(crate) async fn attach(&mut self, source: &str) -> Connector {
        let (mut stream, token) = self.dial().await;
        let validate = json!({"op": "validate", "resourceName": "system.credentials", "object": token});
        for message in [validate, connect(source)] {
            send(&mut stream, &message).await;
            next(&mut stream).await;
        }
        stream
    }

    /// A command for this simulator.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (address, _) = self.greeting.as_ref().expect("the greeting was read");
        let mut command = command(arguments);
        command.args(["--url", &format!("http://{address}")]);
        command
    }

    /// What came of a command for this simulator.
    pub(crate) fn ask(&self, arguments: &[&str]) -> impl Future<Output = Outcome> + use<> {
        outcome(self.command(arguments))
    }

    /// The state of the first source, as `sources` has it.
    pub(crate) async fn state(&self) -> Value {
        let mut states: Value =
            serde_json::from_str(&self.ask(&["sources", "--json"]).await.out).expect("it is JSON");
        states[0].take()
    }

    pub(crate) fn token(&self) -> &str {
        &self.greeting.as_ref().expect("the greeting was read").1
    }

    /// The process, of which nobody reads any more.
    pub(crate) fn deafened(self) -> Child {
        self.child
    }

    #[cfg(unix)]
    pub(crate) async fn signal(&self, signal: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = within(Command::new("kill").args([signal, &id]).status()).await;
        assert!(sent.expect("there is a `kill`").success());
    }

    pub(crate) async fn quit(mut self) {
        self.type_in("quit").await;
        assert_eq!(self.exit_code().await, Some(0));
    }

    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        within(self.child.wait()).await.expect("it was started").code()
    }

    /// Waits for its end; the lines that were read already are not in it.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let mut out = String::new();
        while let Some(line) = self.next_line().await {
            out += &line;
            out.push('\n');
        }
        let err = text_of(self.child.stderr.take()).await;
        Outcome { code: self.exit_code().await, out, err }
    }
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vantiq-simulator"));
    command.args(arguments).kill_on_drop(true).stdin(Stdio::null()).stderr(Stdio::piped());
    command.env("VANTIQ_SIMULATOR_TOKENS", TOKENS);
    for variable in ["VANTIQ_SIMULATOR_URL", "VANTIQ_SIMULATOR_TOKEN", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command
}

pub(crate) async fn outcome(mut command: Command) -> Outcome {
    let output = within(command.output()).await.expect("the program exists");
    let text = |bytes| String::from_utf8(bytes).expect("it says text");
    Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// All that comes out of a pipe.
pub(crate) async fn text_of(pipe: Option<ChildStderr>) -> String {
    let mut text = String::new();
    within(pipe.expect("it is piped").read_to_string(&mut text)).await.expect("it says text");
    text
}

pub(crate) fn connect(source: &str) -> Value {
    json!({"op": "connectExtension", "resourceName": "sources", "resourceId": source})
}

pub(crate) fn notification(source: &str, object: &Value) -> Value {
    json!({"op": "notification", "resourceName": "sources", "resourceId": source, "object": object})
}

pub(crate) async fn send(stream: &mut Connector, message: &Value) {
    within(stream.send(Message::text(message.to_string()))).await.expect("the link is open");
}

/// Answers a query.
pub(crate) async fn answer(stream: &mut Connector, query: &Value, status: u16, body: Value) {
    let headers = json!({"X-Reply-Address": query["messageHeaders"]["REPLY_ADDR_HEADER"]});
    send(stream, &json!({"status": status, "headers": headers, "body": body})).await;
}

pub(crate) async fn next(stream: &mut Connector) -> Value {
    let frame = within(stream.next()).await.expect("there is a message").expect("the link is open");
    serde_json::from_slice(&frame.into_data()).expect("messages are JSON")
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), future).await.expect("it happens in time")
}
