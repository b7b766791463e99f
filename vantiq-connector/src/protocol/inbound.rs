//! [`Inbound`]: what a server sends.

use bytes::Bytes;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Operation, Payload, ReplyAddress, ServerError, Status, envelope::Envelope, redact::cut};

/// A message from the server (`docs/PROTOCOL.md`, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inbound {
    /// The connector is attached to its source; here is the source's configuration document.
    ConfigureExtension {
        /// `object.config`, `null` where absent.
        config: Payload,
    },
    /// A message for the source.
    Publish {
        /// `object`: any JSON value, `null` where absent.
        object: Payload,
    },
    /// A question to the source.
    Query {
        /// Where the answers go; without it nobody can be answered. One that is spelled with more than 256 bytes counts
        /// as none.
        reply_address: Option<ReplyAddress>,
        /// `object`: any JSON value, `null` where absent.
        object: Payload,
    },
    /// Attach again, on the same link.
    ReconnectRequired,
    /// An answer or an acknowledgement: a message without `op`.
    Status(StatusMessage),
    /// An operation that a connector does not know, or that only a connector sends.
    Unknown {
        /// The `op` as the server spelled it, cut where it is longer than any.
        op: String,
    },
}

/// An answer of the server to something the connector sent.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StatusMessage {
    /// Below 300: accepted.
    pub status: Status,
    /// `headers.X-Request-Id`, where the server returned it (section 8). One of more than 256 bytes counts as
    /// none.
    pub request_id: Option<String>,
    /// Whatever came with it. The answer to `validate` holds credentials: never log it.
    pub body: Payload,
}

impl StatusMessage {
    /// What the server refused and why, where it refused.
    #[must_use]
    pub fn error(&self) -> Option<ServerError> {
        self.status.is_error().then(|| ServerError::read(self.status, &self.body))
    }

    /// Whether this is the answer to a `validate`, and not an acknowledgement: only that brings `userInfo`.
    pub(crate) fn is_validation(&self) -> bool {
        // Nothing of the body is kept: it may be as large as a message may.
        #[derive(Deserialize)]
        struct Body {
            #[serde(rename = "userInfo")]
            _user_info: IgnoredAny,
        }
        let body = self.body.as_bytes();
        body.starts_with(b"{") && serde_json::from_slice::<Body>(body).is_ok()
    }
}

/// A frame that is no message: not JSON, not an object, or neither `op` nor `status` in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The frame is not a JSON object with members of the expected types. The position is told, the
    /// content is not.
    #[error("not a message of the protocol (line {line}, column {column})")]
    Json {
        /// Line of the first mistake, from 1.
        line: usize,
        /// Column of the first mistake.
        column: usize,
    },
    /// A JSON object with neither `op` nor `status`.
    #[error("a message with neither `op` nor `status`")]
    Neither,
}

#[derive(Deserialize)]
struct Headers {
    // The wire's `X-Request-Id`, see `name::REQUEST_ID`.
    #[serde(rename = "X-Request-Id", default)]
    request_id: Option<String>,
}

/// No address or id is as long. They are repeated in answers, which have to fit into a message, and in logs.
pub(super) const LONGEST_NAME: usize = 256;

impl Headers {
    fn request_id(self) -> Option<String> {
        self.request_id.filter(|id| id.len() <= LONGEST_NAME)
    }
}

/// Reads `raw` where it has the expected shape.
fn read<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

impl Inbound {
    /// Reads one frame, text or binary. The payload stays a slice of `frame`.
    ///
    /// # Errors
    /// [`DecodeError`]; the caller drops the frame and keeps the link (section 2).
    pub fn decode(frame: &Bytes) -> Result<Self, DecodeError> {
        Self::of(frame, Envelope::read(frame)?)
    }

    /// The same without the shortcut that most frames take.
    #[cfg(any(test, fuzzing, feature = "internals"))]
    pub(crate) fn decode_without_shortcut(frame: &Bytes) -> Result<Self, DecodeError> {
        Self::of(frame, Envelope::read_any(frame)?)
    }

    fn of(frame: &Bytes, envelope: Envelope<'_>) -> Result<Self, DecodeError> {
        let object = || Payload::of_frame(frame, envelope.object);
        let Some(op) = envelope.op() else {
            return match envelope.status {
                Some(status) => Ok(Self::Status(StatusMessage {
                    status,
                    request_id: read(envelope.headers).and_then(Headers::request_id),
                    body: Payload::of_frame(frame, envelope.body),
                })),
                None => Err(DecodeError::Neither),
            };
        };
        Ok(match op.parse() {
            Ok(Operation::ConfigureExtension) => {
                Self::ConfigureExtension { config: config_of(frame, envelope.object) }
            }
            Ok(Operation::Publish) => Self::Publish { object: object() },
            Ok(Operation::Query) => {
                let reply_address = envelope.message_headers.and_then(|headers| headers.reply_address);
                Self::Query { reply_address, object: object() }
            }
            Ok(Operation::ReconnectRequired) => Self::ReconnectRequired,
            _ => Self::Unknown { op: cut(op, LONGEST_NAME) },
        })
    }
}

/// `object.config`, or `null` where there is none: the handler's type then says what is missing.
fn config_of(frame: &Bytes, object: Option<&RawValue>) -> Payload {
    #[derive(Deserialize)]
    struct Object<'a> {
        #[serde(borrow, default)]
        config: Option<&'a RawValue>,
    }
    Payload::of_frame(frame, read::<Object<'_>>(object).and_then(|object| object.config))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn decode(text: &str) -> Result<Inbound, DecodeError> {
        Inbound::decode(&Bytes::copy_from_slice(text.as_bytes()))
    }

    fn payload(value: &Value) -> Payload {
        Payload::from_value(value).unwrap()
    }

    /// The envelope of section 7, as the server sends it.
    const QUERY: &str = r#"{"op":"query","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"c672e138-2915-433d-99fe-78a6661ea047","messageHeaders":{"REPLY_ADDR_HEADER":"d15cf6b0-8a1f-11e8-b880-48152d44a589"},"object":{"queryStyle":"NodeId","x":1}}"#;

    #[test]
    fn golden_query() {
        let expected = Inbound::Query {
            reply_address: Some("d15cf6b0-8a1f-11e8-b880-48152d44a589".into()),
            object: payload(&json!({"queryStyle": "NodeId", "x": 1})),
        };
        assert_eq!(decode(QUERY).unwrap(), expected);
    }

    #[test]
    fn golden_publish() {
        let text = r#"{"op":"publish","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"a","messageHeaders":{},"object":{"hello":"world","option":"one"}}"#;
        let object = Payload::from_value(&json!({"hello": "world", "option": "one"})).unwrap();
        assert_eq!(decode(text).unwrap(), Inbound::Publish { object });
    }

    #[test]
    fn golden_configure_extension() {
        let text = r#"{"op":"configureExtension","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"parameters":{},"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"c672e138-2915-433d-99fe-78a6661ea047","messageHeaders":{},"object":{"config":{"myConnectorConfig":{"general":{}}},"later":1}}"#;
        let config = payload(&json!({"myConnectorConfig": {"general": {}}}));
        assert_eq!(decode(text).unwrap(), Inbound::ConfigureExtension { config });
    }

    #[test]
    fn golden_reconnect_required() {
        let text = r#"{"op":"reconnectRequired","resourceName":"sources","resourceId":"mySource"}"#;
        assert_eq!(decode(text).unwrap(), Inbound::ReconnectRequired);
    }

    #[test]
    fn golden_acknowledgements() {
        let Inbound::Status(bare) = decode(r#"{"status":200}"#).unwrap() else { panic!("not a status") };
        assert_eq!((bare.status, bare.request_id.clone(), bare.error()), (Status::OK, None, None));
        let text = r#"{"status":200,"headers":{"X-Request-Id":"7"},"body":null}"#;
        let Inbound::Status(matched) = decode(text).unwrap() else { panic!("not a status") };
        assert_eq!(matched.request_id.as_deref(), Some("7"));
    }

    #[test]
    fn golden_oversize_error() {
        let text = r#"{"status":500,"contentType":"application/json","body":[{"code":"io.vantiq.server.error","message":"Cannot process binary frame of size 369122, it would cause message buffer (size 0) to overflow max message size of 262144","params":[],"details":"java.lang.IllegalStateException: ..."}]}"#;
        let Inbound::Status(message) = decode(text).unwrap() else { panic!("not a status") };
        let error = message.error().unwrap();
        assert_eq!(error.status, Status(500));
        assert_eq!(error.code.as_deref(), Some("io.vantiq.server.error"));
        assert!(error.message.unwrap().starts_with("Cannot process binary frame of size 369122"));
    }

    #[test]
    fn golden_validation() {
        let text = r#"{"status":200,"contentType":"application/json","body":{"anonymous":false,"userInfo":{"accessToken":"t","username":"tok__ns"}}}"#;
        let Inbound::Status(message) = decode(text).unwrap() else { panic!("not a status") };
        assert!(message.is_validation());
        let Inbound::Status(bare) = decode(r#"{"status":200}"#).unwrap() else { panic!("not a status") };
        assert!(!bare.is_validation());
        for other in ["[{}]", r#"["userInfo"]"#, r#""userInfo""#, r#"{"user":{"userInfo":{}}}"#] {
            let text = format!(r#"{{"status":200,"body":{other}}}"#);
            let Inbound::Status(other) = decode(&text).unwrap() else { panic!("not a status") };
            assert!(!other.is_validation(), "{text}");
        }
    }

    #[test]
    fn a_name_is_no_longer_than_a_line() {
        let long = "n".repeat(100_000);
        let Inbound::Unknown { op } = decode(&format!(r#"{{"op":"{long}"}}"#)).unwrap() else { panic!() };
        assert_eq!(op.chars().count(), LONGEST_NAME + 1);
        let query = format!(r#"{{"op":"query","messageHeaders":{{"REPLY_ADDR_HEADER":"{long}"}}}}"#);
        let object = Payload::NULL;
        assert_eq!(decode(&query).unwrap(), Inbound::Query { reply_address: None, object });
        let status = format!(r#"{{"status":200,"headers":{{"X-Request-Id":"{long}"}}}}"#);
        let Inbound::Status(status) = decode(&status).unwrap() else { panic!("not a status") };
        assert_eq!(status.request_id, None);
    }

    #[test]
    fn absent_and_null_members_mean_null() {
        assert_eq!(decode(r#"{"op":"publish"}"#).unwrap(), Inbound::Publish { object: Payload::NULL });
        let query = decode(r#"{"op":"query","messageHeaders":null,"object":null}"#).unwrap();
        assert_eq!(query, Inbound::Query { reply_address: None, object: Payload::NULL });
        for text in [r#"{"op":"configureExtension"}"#, r#"{"op":"configureExtension","object":[]}"#] {
            assert_eq!(decode(text).unwrap(), Inbound::ConfigureExtension { config: Payload::NULL });
        }
    }

    #[test]
    fn members_of_an_odd_type_that_mean_nothing_to_us_are_ignored() {
        let text = r#"{"op":"publish","isSystemResource":null,"resourceId":7,"headers":"x","messageHeaders":[1],"object":"text"}"#;
        assert_eq!(decode(text).unwrap(), Inbound::Publish { object: payload(&json!("text")) });
        let twice = r#"{"REPLY_ADDR_HEADER":"a","REPLY_ADDR_HEADER":"b"}"#;
        for headers in [twice, r#"{"\ud800":1}"#, r#""\ud800""#, "1e999"] {
            let text = format!(r#"{{"op":"publish","messageHeaders":{headers},"object":1}}"#);
            assert_eq!(decode(&text).unwrap(), Inbound::Publish { object: payload(&json!(1)) }, "{headers}");
        }
    }

    #[test]
    fn what_only_a_connector_sends_is_unknown() {
        for op in ["notification", "connectExtension", "testRequestsClientClose", "x"] {
            let message = decode(&format!(r#"{{"op":"{op}"}}"#)).unwrap();
            assert_eq!(message, Inbound::Unknown { op: op.into() });
        }
    }

    #[test]
    fn what_is_no_message_is_an_error_without_its_content() {
        for text in [
            "",
            "hunter2",
            "[]",
            r#"["publish"]"#,
            "7",
            r#"{"op":7}"#,
            r#"{"op":"publish","object":{"hunter2"}"#,
        ] {
            let error = decode(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(matches!(decode("{}"), Err(DecodeError::Neither)));
        let not_utf8 = Bytes::from_static(b"{\"op\":\"publish\",\"object\":\"\xff\"}");
        assert!(Inbound::decode(&not_utf8).is_err());
    }

    /// The reply address of a query with these `messageHeaders`, as JSON.
    fn reply_address(message_headers: &str) -> Option<String> {
        let text = format!(r#"{{"op":"query","messageHeaders":{message_headers},"object":1}}"#);
        let Inbound::Query { reply_address, .. } = decode(&text).expect(&text) else { panic!("{text}") };
        reply_address.map(|address| String::from_utf8_lossy(address.as_bytes()).into_owned())
    }

    #[test]
    fn the_reply_address_is_kept_as_it_is_spelled() {
        assert_eq!(
            reply_address(r#"{"a":[],"REPLY_ADDR_HEADER" : "x\u0041" }"#).as_deref(),
            Some(r#""x\u0041""#)
        );
    }

    #[test]
    fn message_headers_of_any_other_shape_bring_no_reply_address() {
        for json in
            ["null", "true", "-1", "1", "1.5", r#""text""#, "[]", r#"[{"REPLY_ADDR_HEADER":"x"},2]"#, "{}"]
        {
            assert_eq!(reply_address(json), None, "{json}");
        }
        for json in [r#"["x"]"#, r#"["x",2]"#] {
            assert_eq!(reply_address(json), None, "{json}");
        }
        for address in ["null", "7", "{}", r#"["x"]"#, r#""\ud800""#] {
            assert_eq!(reply_address(&format!(r#"{{"REPLY_ADDR_HEADER":{address}}}"#)), None, "{address}");
        }
    }

    #[test]
    fn the_payload_is_a_slice_of_the_frame() {
        let frame = Bytes::from_static(QUERY.as_bytes());
        let Inbound::Query { object, .. } = Inbound::decode(&frame).unwrap() else { panic!("not a query") };
        assert!(frame.as_ptr_range().contains(&object.as_bytes().as_ptr()));
    }
}
