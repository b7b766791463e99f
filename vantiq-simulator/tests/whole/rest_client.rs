//! Requests of an application, spelled out.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
        let Self { simulator, line, mut headers, body } = self;
        if !headers.iter().any(|header| header.starts_with("Host: ")) {
            headers.push(format!("Host: {}\r\n", simulator.addr()));
        }
        let headers = headers.concat();
        let length = body.len();
        let text = format!("{line}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}");
        let answer = within(async {
            let mut connection = TcpStream::connect(simulator.addr()).await?;
            connection.write_all(text.as_bytes()).await?;
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
