//! [`Outbound`]: what a connector sends.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{ErrorBody, JsonArray, Operation, Payload, ReplyAddress, Status, name, object::Object};

/// A message to the server (`docs/PROTOCOL.md`, sections 3, 5 and 8).
///
/// Its `Debug` shows neither tokens nor payloads.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Outbound<'a> {
    /// Authenticates the link.
    Validate {
        /// The access token.
        token: &'a str,
    },
    /// Attaches the link to a source.
    ConnectExtension {
        /// The source.
        source: &'a str,
        /// Shows the server that an earlier, perhaps half-dead link to this source was ours.
        reconnect_secret: &'a str,
    },
    /// An event of the source.
    Notification {
        /// The source.
        source: &'a str,
        /// The event.
        object: &'a RawValue,
        /// By which the server's answer can name it (section 8).
        request_id: Option<u64>,
    },
    /// Rows of a query, or its end.
    Answer {
        /// [`Status::PARTIAL`], [`Status::OK`] or [`Status::EMPTY`].
        status: Status,
        /// Which query.
        reply_address: &'a ReplyAddress,
        /// An object counts as one row, an array as many; none with [`Status::EMPTY`].
        body: Option<Body<'a>>,
    },
    /// The end of a query in an error.
    Error {
        /// Which query.
        reply_address: &'a ReplyAddress,
        /// What went wrong.
        error: &'a ErrorBody,
        /// Whether the body is a list of one error, as the documentation has it, and not the bare error
        /// that both Vantiq SDKs send (section 8).
        as_array: bool,
    },
}

/// The rows of one answer.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Body<'a> {
    /// One row. An object or any other value that is no array.
    Row(&'a Payload),
    /// As many rows as there are elements.
    Rows(&'a JsonArray),
}

/// What an answer takes without its address, its body and that member's name.
const ANSWER: usize = r#"{"status":100,"headers":{"X-Reply-Address":}}"#.len();
const BODY: usize = r#","body":"#.len();

/// What an answer takes around its body, in bytes.
pub(crate) fn answer_around(reply_address: &ReplyAddress) -> usize {
    ANSWER + reply_address.as_payload().len() + BODY
}

impl Outbound<'_> {
    /// The JSON text of the message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // Exact: what does not fill its buffer takes another one.
        let mut text = Vec::with_capacity(match self {
            Self::Answer { reply_address, body: Some(body), .. } => {
                answer_around(reply_address) + body.bytes()
            }
            Self::Answer { reply_address, body: None, .. } => answer_around(reply_address) - BODY,
            _ => 0,
        });
        self.write(&mut text);
        text.into()
    }

    /// Appends the JSON text of the message to `text`.
    pub(crate) fn write(&self, text: &mut Vec<u8>) {
        match *self {
            Self::Validate { token } => {
                request(text, Operation::Validate, name::SYSTEM_CREDENTIALS).member("object", token).close();
            }
            Self::ConnectExtension { source, reconnect_secret } => {
                request(text, Operation::ConnectExtension, name::SOURCES)
                    .member("resourceId", source)
                    .nested("parameters", |it| it.member(name::RECONNECT_SECRET, reconnect_secret))
                    .close();
            }
            Self::Notification { source, object, request_id } => {
                NotificationHead::new(source)
                    .write(text, request_id, object)
                    .expect("valid JSON always serialises");
            }
            Self::Answer { status, reply_address, body } => {
                let answer = answer(text, status, reply_address);
                match body {
                    None => answer,
                    Some(Body::Row(row)) => answer.payload("body", row),
                    Some(Body::Rows(rows)) => answer.array("body", rows),
                }
                .close();
            }
            Self::Error { reply_address, error, as_array } => {
                let answer = answer(text, Status::ERROR, reply_address);
                if as_array { answer.member("body", &[error]) } else { answer.member("body", error) }.close();
            }
        }
    }
}

/// The members of a source's notifications that are the same in each.
#[derive(Debug, Clone)]
pub(crate) struct NotificationHead(Box<[u8]>);

impl NotificationHead {
    pub(crate) fn new(source: &str) -> Self {
        let mut text = Vec::new();
        request(&mut text, Operation::Notification, name::SOURCES).member("resourceId", source);
        Self(text.into())
    }

    /// Appends the JSON text of a notification to `text`. Where that fails it is torn.
    pub(crate) fn write<T: Serialize + ?Sized>(
        &self,
        text: &mut Vec<u8>,
        request_id: Option<u64>,
        event: &T,
    ) -> serde_json::Result<()> {
        text.extend_from_slice(&self.0);
        let mut message = Object::resume(text);
        if let Some(request_id) = request_id {
            let request_id = request_id.to_string();
            message = message.nested("parameters", |it| it.member(name::REQUEST_ID_PARAMETER, &request_id));
        }
        message.try_member("object", event)?.close();
        Ok(())
    }
}

fn request<'a>(text: &'a mut Vec<u8>, op: Operation, resource: &str) -> Object<'a> {
    Object::open(text).member("op", &op).member("resourceName", resource)
}

fn answer<'a>(text: &'a mut Vec<u8>, status: Status, reply_address: &ReplyAddress) -> Object<'a> {
    Object::open(text)
        .member("status", &status)
        .nested("headers", |it| it.payload(name::REPLY_ADDRESS, reply_address.as_payload()))
}

impl Body<'_> {
    /// Length of the text in bytes.
    fn bytes(self) -> usize {
        match self {
            Self::Row(row) => row.len(),
            Self::Rows(rows) => rows.bytes(),
        }
    }
}

impl fmt::Debug for Outbound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validate { .. } => f.write_str("Validate"),
            Self::ConnectExtension { source, .. } => write!(f, "ConnectExtension({source})"),
            Self::Notification { source, object, .. } => {
                write!(f, "Notification({source}, {} bytes)", object.get().len())
            }
            Self::Answer { status, body, .. } => {
                write!(f, "Answer({status}, {body:?})")
            }
            Self::Error { error, .. } => write!(f, "Error({})", error.message_code),
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row(row) => write!(f, "Row({} bytes)", row.len()),
            Self::Rows(rows) => write!(f, "Rows({})", rows.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    fn golden(message: Outbound<'_>, expected: &str) {
        assert_eq!(std::str::from_utf8(&message.encode()).unwrap(), expected);
    }

    #[test]
    fn golden_validate() {
        golden(
            Outbound::Validate { token: "<access token>" },
            r#"{"op":"validate","resourceName":"system.credentials","object":"<access token>"}"#,
        );
    }

    #[test]
    fn golden_connect_extension() {
        golden(
            Outbound::ConnectExtension { source: "mySource", reconnect_secret: "mySource_<uuid1>" },
            r#"{"op":"connectExtension","resourceName":"sources","resourceId":"mySource","parameters":{"reconnectSecret":"mySource_<uuid1>"}}"#,
        );
    }

    #[test]
    fn golden_notification() {
        golden(
            Outbound::Notification { source: "mySource", object: raw(r#"{"temp":21}"#), request_id: None },
            r#"{"op":"notification","resourceName":"sources","resourceId":"mySource","object":{"temp":21}}"#,
        );
        golden(
            Outbound::Notification { source: "mySource", object: raw("21"), request_id: Some(7) },
            r#"{"op":"notification","resourceName":"sources","resourceId":"mySource","parameters":{"requestId":"7"},"object":21}"#,
        );
    }

    #[test]
    fn golden_answers() {
        let reply_address = &ReplyAddress::from("<reply addr>");
        golden(
            Outbound::Answer {
                status: Status::OK,
                reply_address,
                body: Some(Body::Row(&Payload::copied(raw(r#"{"row":1}"#)))),
            },
            r#"{"status":200,"headers":{"X-Reply-Address":"<reply addr>"},"body":{"row":1}}"#,
        );
        let mut rows = JsonArray::new();
        rows.push(raw(r#"{"row":1}"#));
        rows.push(raw(r#"{"row":2}"#));
        golden(
            Outbound::Answer { status: Status::PARTIAL, reply_address, body: Some(Body::Rows(&rows)) },
            r#"{"status":100,"headers":{"X-Reply-Address":"<reply addr>"},"body":[{"row":1},{"row":2}]}"#,
        );
        golden(
            Outbound::Answer { status: Status::EMPTY, reply_address, body: None },
            r#"{"status":204,"headers":{"X-Reply-Address":"<reply addr>"}}"#,
        );
    }

    #[test]
    fn the_room_around_a_body_is_known_beforehand() {
        for reply_address in ["", "d15cf6b0-8a1f-11e8-b880-48152d44a589", "\"\\\n\u{1}ä"] {
            let reply_address = &ReplyAddress::from(reply_address);
            let around = answer_around(reply_address);
            let answer = |body: Option<Body<'_>>| {
                Outbound::Answer { status: Status::OK, reply_address, body }.encode().len()
            };
            let seven = Payload::copied(raw("[7]"));
            assert_eq!(answer(Some(Body::Row(&seven))), around + seven.len(), "{reply_address:?}");
            assert_eq!(answer(None), around - BODY, "{reply_address:?}");
        }
    }

    #[test]
    fn golden_errors() {
        let error = ErrorBody {
            message_code: "com.example.bad".into(),
            message_template: "Bad value {0}".into(),
            parameters: vec!["x".into()],
        };
        let (reply_address, error) = (&ReplyAddress::from("<reply addr>"), &error);
        golden(
            Outbound::Error { reply_address, error, as_array: false },
            r#"{"status":400,"headers":{"X-Reply-Address":"<reply addr>"},"body":{"messageCode":"com.example.bad","messageTemplate":"Bad value {0}","parameters":["x"]}}"#,
        );
        golden(
            Outbound::Error { reply_address, error, as_array: true },
            r#"{"status":400,"headers":{"X-Reply-Address":"<reply addr>"},"body":[{"messageCode":"com.example.bad","messageTemplate":"Bad value {0}","parameters":["x"]}]}"#,
        );
    }

    #[test]
    fn debug_shows_no_secret() {
        let messages = [
            Outbound::Validate { token: "hunter2" },
            Outbound::ConnectExtension { source: "s", reconnect_secret: "hunter2" },
            Outbound::Notification { source: "s", object: raw(r#""hunter2""#), request_id: None },
        ];
        assert!(!format!("{messages:?}").contains("hunter2"));
    }
}
