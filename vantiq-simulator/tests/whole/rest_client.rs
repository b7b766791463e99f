//! Requests of an application, spelled out.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use vantiq_simulator::Simulator;

use crate::client::within;

/// A request that is being put together.
pub(crate) struct Request<'a> {
    simulator: &'a Simulator,
    line: String,
    headers: Vec<String>,
    body: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// `null` where it is not JSON.
    pub(crate) body: Value,
}

/// A request with the right token.
pub(crate) fn request<'a>(simulator: &'a Simulator, method: &str, path: &str) -> Request<'a> {
    bare(simulator, method, path).header("Authorization", &format!("Bearer {}", simulator.token()))
}

/// A request without a token.
pub(crate) fn bare<'a>(simulator: &'a Simulator, method: &str, path: &str) -> Request<'a> {
    let line = format!("{method} {path} HTTP/1.1\r\n");
    Request { simulator, line, headers: Vec::new(), body: String::new() }
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Value>) -> Self {
        self.body = body.into().to_string();
        self
    }

    /// A body to the letter.
    pub(crate) fn text(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// Sends it and reads the answer.
    pub(crate) async fn send(self) -> Answer {
        let answer = within(async {
            let mut connection = self.dispatch().await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        });
        let answer = answer.await.expect("the simulator answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("and a status");
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }

    /// Sends it and reads the answer line by line, as it comes.
    pub(crate) async fn stream(mut self) -> AnswerLines {
        // Older than answers in chunks.
        self.line = self.line.replace("HTTP/1.1", "HTTP/1.0");
        let connection = within(self.dispatch()).await.expect("the simulator listens");
        let mut lines = BufReader::new(connection).lines();
        let first = within(lines.next_line()).await.expect("it is text").expect("there is a status");
        assert!(first.contains(" 200 "), "{first}");
        while within(lines.next_line()).await.expect("it is text").is_some_and(|header| !header.is_empty()) {}
        AnswerLines(lines)
    }

    async fn dispatch(self) -> std::io::Result<TcpStream> {
        let Self { simulator, line, mut headers, body } = self;
        if !headers.iter().any(|header| header.starts_with("Host: ")) {
            headers.push(format!("Host: {}\r\n", simulator.addr()));
        }
        let headers = headers.concat();
        let length = body.len();
        let text = format!("{line}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut connection = TcpStream::connect(simulator.addr()).await?;
        connection.write_all(text.as_bytes()).await?;
        Ok(connection)
    }
}

/// An answer of one JSON value a line.
pub(crate) struct AnswerLines(Lines<BufReader<TcpStream>>);

impl AnswerLines {
    /// The next line, if there is one more.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = within(self.0.next_line()).await.expect("it is text")?;
        Some(serde_json::from_str(&line).expect("a line is JSON"))
    }

    /// The next line that this says yes to.
    pub(crate) async fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.next().await.expect("there are more lines");
            if is_it(&line) {
                return line;
            }
        }
    }

    /// All lines that are left.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.next().await {
            lines.push(line);
        }
        lines
    }
}

impl Answer {
    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }

    /// Status, and the code of the first error.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, &str) {
        let error = &self.body[0];
        assert!(error["message"].is_string() && error["params"].is_array(), "{self:?}");
        (self.status, error["code"].as_str().unwrap_or_default())
    }
}
