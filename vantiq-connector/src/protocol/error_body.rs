//! The two shapes of an error: [`ErrorBody`], which a connector sends, and [`ServerError`], which it gets.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny},
};
use serde_json::value::RawValue;

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
        // Of a body as large as a message may be, only the members are parsed that are looked for.
        let body = body.as_bytes();
        let error = match serde_json::from_slice(body) {
            Ok(First(error)) => error.map_or("null", RawValue::get).as_bytes(),
            Err(_) => body,
        };
        let members: Members<'_> = serde_json::from_slice(error).unwrap_or_default();
        Self {
            status,
            code: text(members.code).or_else(|| text(members.message_code)),
            message: text(members.message)
                .or_else(|| text(members.error))
                .or_else(|| serde_json::from_slice(error).ok().map(cut)),
        }
    }
}

/// The members of an error that are read. Each may be of any type.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members<'a> {
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow)]
    message_code: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// The first item of a list.
struct First<'a>(Option<&'a RawValue>);

impl<'de> Deserialize<'de> for First<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = First<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<First<'de>, A::Error> {
                let first = items.next_element()?;
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_seq(Visitor)
    }
}

/// The text in `raw`, where there is one.
fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok().map(cut)
}

fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MESSAGE_CHARS) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
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
    use serde_json::{Value, json};

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
    fn what_is_not_read_may_be_anything() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for body in [
            format!(r#"[{{"code":"c","message":"m","details":{deep}}},{deep}]"#),
            r#"[{"code":"c","message":"m","details":"\ud800"},1e999]"#.to_owned(),
        ] {
            let raw: &RawValue = serde_json::from_str(&body).unwrap();
            let error = ServerError::read(Status::ERROR, &Payload::from_value(raw).unwrap());
            assert_eq!((error.code.as_deref(), error.message.as_deref()), (Some("c"), Some("m")));
        }
        assert_eq!(read(&json!("m".repeat(100_000))), (None, Some("m".repeat(MESSAGE_CHARS))));
    }

    #[test]
    fn it_reads_as_one_line() {
        let body = json!([{"code": "io.vantiq.authentication.failed", "message": "Failed to authenticate"}]);
        let error = ServerError::read(Status::ERROR, &Payload::from_value(&body).unwrap());
        assert_eq!(error.to_string(), "status 400, io.vantiq.authentication.failed: Failed to authenticate");
    }
}
