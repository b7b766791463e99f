//! [`Remote`]: the simulator that runs elsewhere, by HTTP.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use form_urlencoded::byte_serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::{Method, Request, Response, StatusCode, header};
use ureq::{Agent, AsSendBody, Body, BodyReader};
use vantiq_simulator::Fault;

use super::answer::Answers;
use super::error::ProgramError;
use super::peer::Peer;
use super::place::TokenOrigin;

/// For the connection: what is on this machine answers at once.
const CONNECT: Duration = Duration::from_secs(10);
/// For an answer to what is no query: longer than any wait of the simulator.
const ANSWER: Duration = Duration::from_mins(1);
/// Bytes of an answer in one piece.
const MOST_BYTES: u64 = 1 << 30;

/// Knows where the simulator is and how to be let in; asks anew each time.
pub(super) struct Remote {
    agent: Agent,
    pub(super) peer: Peer,
    token: Option<String>,
    origin: TokenOrigin,
}

/// An answer that comes line by line.
pub(super) struct Lines {
    reader: BufReader<BodyReader<'static>>,
    pub(super) peer: Peer,
}

impl Remote {
    pub(super) fn new(url: String, token: Option<String>, origin: TokenOrigin) -> Self {
        // No proxy: it is on this machine or next to it, and a proxy would be told the token.
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT));
        Self { agent: config.build().new_agent(), peer: Peer::new(url), token, origin }
    }

    /// Publishes to a source, as applications do.
    pub(super) fn publish(&self, source: &str, object: &Value) -> Result<(), ProgramError> {
        let path = format!("/api/v1/resources/sources/{}", segment(source));
        self.json(Method::POST, &path, Some(object)).map(drop)
    }

    /// Creates a source, or changes its configuration document.
    pub(super) fn configure(&self, source: &str, document: &Value) -> Result<(), ProgramError> {
        let record = serde_json::json!({"name": source, "config": document});
        self.json(Method::POST, "/api/v1/resources/sources?upsert=true", Some(&record)).map(drop)
    }

    /// Queries a source; the answers come as they come.
    pub(super) fn query(&self, source: &str, object: &Value) -> Result<Answers, ProgramError> {
        let path = format!("/simulator/sources/{}/query", segment(source));
        self.lines(Method::POST, &path, Some(object)).map(Answers)
    }

    /// Does something to a source; gives what is in force then.
    pub(super) fn fault(&self, source: &str, fault: &Fault) -> Result<Value, ProgramError> {
        let fault = serde_json::json!(fault);
        self.json(Method::POST, &faults(source), Some(&fault))
    }

    /// Ends what lasts; gives what is in force then.
    pub(super) fn heal(&self, source: &str) -> Result<Value, ProgramError> {
        self.json(Method::DELETE, &faults(source), None)
    }

    pub(super) fn state(&self) -> Result<Value, ProgramError> {
        self.json(Method::GET, "/simulator/state", None)
    }

    /// Frames; `query` says which.
    pub(super) fn frames(&self, query: &str) -> Result<Lines, ProgramError> {
        self.lines(Method::GET, &format!("/simulator/frames?{query}"), None)
    }

    /// What an answer says.
    pub(super) fn understand<T: DeserializeOwned>(&self, answer: Value) -> Result<T, ProgramError> {
        serde_json::from_value(answer).map_err(|error| self.peer.not_json(&error))
    }

    fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ProgramError> {
        let response = self.send(method, path, body, Some(ANSWER))?;
        let mut bytes = Vec::new();
        let mut reader = response.into_body().into_with_config().limit(MOST_BYTES).reader();
        reader.read_to_end(&mut bytes).map_err(|_| self.peer.gone())?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        self.peer.read(&bytes)
    }

    fn lines(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Lines, ProgramError> {
        let response = self.send(method, path, body, None)?;
        Ok(Lines { reader: BufReader::new(response.into_body().into_reader()), peer: self.peer.clone() })
    }

    /// Sends a request and looks at the status of its answer.
    fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Option<Duration>,
    ) -> Result<Response<Body>, ProgramError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.peer.url()));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        // A request without a body is of another type.
        let sent = match body {
            Some(body) => request.body(body.to_string()).map(|request| self.run(request, timeout)),
            None => request.body(()).map(|request| self.run(request, timeout)),
        };
        let sent = sent.map_err(ureq::Error::from).flatten();
        self.admit(sent.map_err(|error| self.peer.unreachable(error))?)
    }

    fn run(
        &self,
        request: Request<impl AsSendBody>,
        timeout: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        self.agent.run(self.agent.configure_request(request).timeout_global(timeout).build())
    }

    fn admit(&self, response: Response<Body>) -> Result<Response<Body>, ProgramError> {
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Err(self.peer.token_refused(self.origin));
        }
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.starts_with("application/"));
        if status.is_success() && (is_json || status == StatusCode::NO_CONTENT) {
            return Ok(response);
        }
        let text = response.into_body().read_to_string().unwrap_or_default();
        Err(refusal(&text).unwrap_or_else(|| {
            let first = text.lines().next().unwrap_or_default();
            self.peer.other(&format!("it answers {}: {first}", status.as_u16()))
        }))
    }
}

impl Lines {
    /// The next line without its end; `None` at the end of the answer.
    ///
    /// # Errors
    ///
    /// [`Gone`](ProgramError::Gone), also when it ends in the middle of a line.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, ProgramError> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).map_err(|_| self.peer.gone())?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.peer.gone()),
        }
    }
}

fn faults(source: &str) -> String {
    format!("/simulator/sources/{}/faults", segment(source))
}

/// A name as a part of a path, where `+` would stand for itself.
fn segment(name: &str) -> String {
    byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The first of a list of errors, which is how everything is refused.
fn refusal(text: &str) -> Option<ProgramError> {
    let list: Value = serde_json::from_str(text).ok()?;
    let text = |member| list[0][member].as_str().map(str::to_owned);
    Some(ProgramError::Refused { code: text("code")?, message: text("message")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_one_segment() {
        assert_eq!(segment("a-b_c.d"), "a-b_c.d");
        assert_eq!(segment("a b/c+d?e%ä"), "a%20b%2Fc%2Bd%3Fe%25%C3%A4");
    }

    #[test]
    fn a_list_of_errors_is_a_refusal() {
        let error = refusal(r#"[{"code":"c","message":"m","params":[]}]"#).expect("it is one");
        assert_eq!(error.to_string(), "m");
        assert!(refusal("no").is_none() && refusal("{}").is_none() && refusal("[]").is_none());
    }
}
