//! The two shapes of an error: [`ErrorBody`], which a connector sends, and [`ServerError`], which it gets.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Payload, Status};

/// The `body` of an answer with an error status (`docs/PROTOCOL.md`, section 8).
///
/// `message_template` has places `{0}`, `{1}` for the parameters. The server may read it as a Java
/// `MessageFormat`, in which apostrophes and braces mean something: free text belongs into `parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A dotted code that programs can match, such as `com.example.bad`.
    pub message_code: String,
    /// The text for people, with `{0}` for the first parameter.
    pub message_template: String,
    /// What goes into the template.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// What the server said when it refused something: status, code and message, each where it gave one.
///
/// The server's error bodies come as a list of `{code, message}`, one such object, `{"error": ".."}`, a
/// text, or nothing (sections 3 and 5). Only these two members are read; others may hold stack traces.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError {
    /// The status, 300 or above.
    pub status: Status,
    /// A dotted code, such as `io.vantiq.authentication.failed`.
    pub code: Option<String>,
    /// The text for people.
    pub message: Option<String>,
}

/// Longer texts of the server are cut: a log line is no place for a stack trace.
const MESSAGE_CHARS: usize = 500;

impl ServerError {
    /// Reads `body` as far as it can be read; whatever it is, there is a result.
    #[must_use]
    pub fn read(status: Status, body: &Payload) -> Self {
        let body: Value = body.parse().unwrap_or(Value::Null);
        let first = match &body {
            Value::Array(errors) => errors.first().unwrap_or(&Value::Null),
            other => other,
        };
        let text = |key: &str| first.get(key).and_then(Value::as_str).map(cut);
        Self {
            status,
            code: text("code").or_else(|| text("messageCode")),
            message: text("message").or_else(|| text("error")).or_else(|| first.as_str().map(cut)),
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS).collect()
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> (Option<String>, Option<String>) {
        let error = ServerError::read(Status::ERROR, &Payload::from_value(body).unwrap());
        (error.code, error.message)
    }

    #[test]
    fn every_shape_of_an_error_body_is_read() {
        let error = json!({"code": "c", "message": "m", "params": []});
        let both = (Some("c".to_owned()), Some("m".to_owned()));
        assert_eq!(read(&json!([error])), both);
        assert_eq!(read(&error), both);
        assert_eq!(read(&json!({"error": "m"})), (None, Some("m".to_owned())));
        assert_eq!(read(&json!("m")), (None, Some("m".to_owned())));
        for nothing in [json!(null), json!([]), json!({}), json!([7]), json!({"code": 7})] {
            assert_eq!(read(&nothing), (None, None), "{nothing}");
        }
    }

    #[test]
    fn it_reads_as_one_line() {
        let body = json!([{"code": "io.vantiq.authentication.failed", "message": "Failed to authenticate"}]);
        let error = ServerError::read(Status::ERROR, &Payload::from_value(&body).unwrap());
        assert_eq!(error.to_string(), "status 400, io.vantiq.authentication.failed: Failed to authenticate");
    }
}
