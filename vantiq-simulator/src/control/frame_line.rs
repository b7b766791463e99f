//! [`FrameLine`]: a message of the recording as it is told.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::since_1970;
use crate::fault::Direction;
use crate::inbound::Inbound;
use crate::recording::{Entry, Frame, FrameKind};

/// Bytes of a message that is told as a whole.
const LARGEST: usize = 64 << 10;
/// The operations that carry secrets.
const HANDSHAKE: [&str; 3] = ["validate", "authenticate", "connectExtension"];
/// What is told instead of a secret.
const HIDDEN: &str = "•••";

/// A message with what a reader wants to know of it.
#[derive(Debug, Serialize)]
pub(super) struct FrameLine<'a> {
    number: u64,
    at: f64,
    link: u64,
    source: Option<&'a str>,
    direction: &'static str,
    frame: &'static str,
    bytes: usize,
    op: Option<String>,
    status: Option<u16>,
    address: Option<String>,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    acknowledges: &'a [u64],
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase", untagged)]
enum Content<'a> {
    Json {
        message: &'a RawValue,
    },
    /// With something hidden.
    Changed {
        message: Value,
    },
    Text {
        text: Cow<'a, str>,
    },
    Cut {
        text: Cow<'a, str>,
        cut: bool,
    },
}

impl<'a> FrameLine<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        let frame = &entry.frame;
        let message = Inbound::parse(&frame.payload).ok();
        let address =
            message.as_ref().and_then(|message| message.reply_address().or(message.asks_to_reply_at()));
        Self {
            number: entry.number,
            at: since_1970(entry.at),
            link: frame.link,
            source: frame.source.as_deref(),
            direction: match frame.direction {
                Direction::ToServer => "received",
                Direction::ToClient => "sent",
            },
            frame: match frame.kind {
                FrameKind::Text => "text",
                FrameKind::Binary => "binary",
            },
            bytes: frame.payload.len(),
            address: address.map(str::to_owned),
            content: Content::of(frame, message.as_ref()),
            status: message.as_ref().and_then(|message| message.status),
            op: message.and_then(|message| message.op),
            acknowledges: &frame.acknowledges,
        }
    }
}

/// The operation of a message, if it has one.
pub(super) fn op(entry: &Entry) -> Option<String> {
    Inbound::parse(&entry.frame.payload).ok()?.op
}

impl<'a> Content<'a> {
    fn of(frame: &'a Frame, message: Option<&Inbound<'_>>) -> Self {
        let payload = &*frame.payload;
        if let Some(message) = hidden(frame, message) {
            return Self::Changed { message };
        }
        if payload.len() > LARGEST {
            // The end may lie within a character, which then is replaced.
            return Self::Cut { text: String::from_utf8_lossy(&payload[..LARGEST]), cut: true };
        }
        match serde_json::from_slice(payload) {
            Ok(message) => Self::Json { message },
            Err(_) => Self::Text { text: String::from_utf8_lossy(payload) },
        }
    }
}

/// The message without its secrets, if it may have some.
///
/// Only what a connector says of itself has them, and it may say it in any shape: with an odd or a doubled member, or
/// with something behind it. So everything is looked through that is not well understood.
fn hidden(frame: &Frame, message: Option<&Inbound<'_>>) -> Option<Value> {
    let is_harmless = message.is_some_and(|message| match message.op.as_deref() {
        Some(op) => !HANDSHAKE.contains(&op),
        None => message.status.is_some(),
    });
    if is_harmless || frame.direction == Direction::ToClient {
        return None;
    }
    match serde_json::from_slice(&frame.payload) {
        Ok(mut message) => {
            hide_members(&mut message, &["object", "password", "reconnectSecret"]);
            Some(message)
        }
        Err(_) => mentions_secrets(&frame.payload).then(|| json!(HIDDEN)),
    }
}

/// Hides the members of these names, however deep they are.
fn hide_members(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if names.contains(&name.as_str()) && !value.is_null() {
                    *value = json!(HIDDEN);
                } else {
                    hide_members(value, names);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_members(item, names)),
        _ => {}
    }
}

/// Whether it seems to be meant for the handshake.
fn mentions_secrets(payload: &[u8]) -> bool {
    let text = String::from_utf8_lossy(payload).to_ascii_lowercase();
    ["validate", "authenticate", "credentials", "password", "secret", "token"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    fn told(text: &str) -> Value {
        told_of(Direction::ToServer, text)
    }

    fn told_of(direction: Direction, text: &str) -> Value {
        let mut recording = Recording::new(1 << 20);
        recording.push(Frame {
            link: 7,
            direction,
            kind: FrameKind::Binary,
            payload: text.as_bytes().to_vec().into(),
            source: Some("thermostat".into()),
            is_notification: false,
            acknowledges: Box::default(),
        });
        json!(FrameLine::of(recording.after(0).next().expect("there is one")))
    }

    #[test]
    fn a_query_and_its_answers_have_the_same_address() {
        let query = told(r#"{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a"}}"#);
        assert_eq!(
            (&query["op"], &query["address"], &query["link"]),
            (&json!("query"), &json!("a"), &json!(7))
        );
        assert_eq!(query["message"]["op"], "query");
        let answer = told(r#"{"status":100,"headers":{"X-Reply-Address":"a"},"body":[1]}"#);
        assert_eq!((&answer["status"], &answer["address"]), (&json!(100), &json!("a")));
    }

    #[test]
    fn secrets_are_hidden() {
        for text in [
            r#"{"op":"validate","object":"canary"}"#,
            r#"{"op":"authenticate","object":{"username":"me","password":"canary"}}"#,
            r#"{"op":"connectExtension","parameters":{"reconnectSecret":"canary"}}"#,
            r#"{"op":"validate","object":"canary","parameters":{"requestId":7}}"#,
            r#"{"op":"validate","op":"validate","object":"canary"}"#,
            r#"{"op":"authenticate","object":"canary"}"#,
            r#"{"op":"connectExtension","parameters":{"requestId":7,"reconnectSecret":"canary"}}"#,
            r#"{"op":"validate","object":"canary"} and more"#,
            r#"["validate", {"password":"canary"}]"#,
        ] {
            let told = told(text).to_string();
            assert!(told.contains(HIDDEN) && !told.contains("canary"), "{told}");
        }
    }

    #[test]
    fn what_is_no_json_or_long_is_a_text() {
        assert_eq!(told("Vantiq-Ping")["text"], "Vantiq-Ping");
        assert_eq!(told(r#"{"status":"200"}"#)["message"]["status"], "200", "odd, but JSON");
        let event = r#"{"op":"notification","object":{"password":"of a door"}}"#;
        assert_eq!(
            told(event)["message"]["object"]["password"],
            "of a door",
            "that is no secret of the connector"
        );
        let publish = r#"{"op":"publish","object":{"validate":1}}"#;
        assert_eq!(told_of(Direction::ToClient, publish)["message"]["object"]["validate"], 1);
        let long = told(&format!(r#"{{"op":"publish","object":"{}"}}"#, "x".repeat(LARGEST)));
        assert_eq!((&long["cut"], &long["op"]), (&json!(true), &json!("publish")));
        assert_eq!(long["text"].as_str().map(str::len), Some(LARGEST));
    }
}
