//! [`Outbound`]: what a connector sends.

use std::fmt;

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{ErrorBody, Operation, Status, name};

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
        request_id: Option<&'a str>,
    },
    /// Rows of a query, or its end.
    Answer {
        /// [`Status::PARTIAL`], [`Status::OK`] or [`Status::EMPTY`].
        status: Status,
        /// Which query.
        reply_address: &'a str,
        /// An object counts as one row, an array as many; none with [`Status::EMPTY`].
        body: Option<Body<'a>>,
    },
    /// The end of a query in an error.
    Error {
        /// Which query.
        reply_address: &'a str,
        /// What went wrong.
        error: &'a ErrorBody,
        /// Whether the body is a list of one error, as the documentation has it, and not the bare error
        /// that both Vantiq SDKs send (section 8).
        as_array: bool,
    },
}

/// The rows of one answer.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Body<'a> {
    /// One row. An object or any other value that is no array.
    Row(&'a RawValue),
    /// As many rows as there are elements.
    Rows(&'a [Box<RawValue>]),
}

impl Outbound<'_> {
    /// The JSON text of the message.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts, numbers and valid JSON always serialise").into()
    }
}

impl Serialize for Outbound<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match *self {
            Self::Validate { token } => {
                request(&mut map, Operation::Validate, name::SYSTEM_CREDENTIALS, None)?;
                map.serialize_entry("object", token)?;
            }
            Self::ConnectExtension { source, reconnect_secret } => {
                request(&mut map, Operation::ConnectExtension, name::SOURCES, Some(source))?;
                map.serialize_entry("parameters", &Member(name::RECONNECT_SECRET, reconnect_secret))?;
            }
            Self::Notification { source, object, request_id } => {
                request(&mut map, Operation::Notification, name::SOURCES, Some(source))?;
                if let Some(request_id) = request_id {
                    map.serialize_entry("parameters", &Member(name::REQUEST_ID_PARAMETER, request_id))?;
                }
                map.serialize_entry("object", object)?;
            }
            Self::Answer { status, reply_address, body } => {
                answer(&mut map, status, reply_address)?;
                if let Some(body) = body {
                    map.serialize_entry("body", &body)?;
                }
            }
            Self::Error { reply_address, error, as_array } => {
                answer(&mut map, Status::ERROR, reply_address)?;
                if as_array {
                    map.serialize_entry("body", &[error])?;
                } else {
                    map.serialize_entry("body", error)?;
                }
            }
        }
        map.end()
    }
}

fn request<M: SerializeMap>(
    map: &mut M,
    op: Operation,
    resource: &str,
    id: Option<&str>,
) -> Result<(), M::Error> {
    map.serialize_entry("op", &op)?;
    map.serialize_entry("resourceName", resource)?;
    id.map_or(Ok(()), |id| map.serialize_entry("resourceId", id))
}

fn answer<M: SerializeMap>(map: &mut M, status: Status, reply_address: &str) -> Result<(), M::Error> {
    map.serialize_entry("status", &status)?;
    map.serialize_entry("headers", &Member(name::REPLY_ADDRESS, reply_address))
}

/// An object with one member.
struct Member<'a>(&'static str, &'a str);

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
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
            Self::Row(row) => write!(f, "Row({} bytes)", row.get().len()),
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
            Outbound::Notification { source: "mySource", object: raw("21"), request_id: Some("7") },
            r#"{"op":"notification","resourceName":"sources","resourceId":"mySource","parameters":{"requestId":"7"},"object":21}"#,
        );
    }

    #[test]
    fn golden_answers() {
        let reply_address = "<reply addr>";
        golden(
            Outbound::Answer {
                status: Status::OK,
                reply_address,
                body: Some(Body::Row(raw(r#"{"row":1}"#))),
            },
            r#"{"status":200,"headers":{"X-Reply-Address":"<reply addr>"},"body":{"row":1}}"#,
        );
        let rows = [raw(r#"{"row":1}"#).to_owned(), raw(r#"{"row":2}"#).to_owned()];
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
    fn golden_errors() {
        let error = ErrorBody {
            message_code: "com.example.bad".into(),
            message_template: "Bad value {0}".into(),
            parameters: vec!["x".into()],
        };
        let (reply_address, error) = ("<reply addr>", &error);
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
