//! [`Envelope`]: the members of a message, each still as it was spelled.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{
    DecodeError, Status,
    message_headers::MessageHeaders,
    payload::json,
    plain::{PlainReader, set_once},
};

/// The members of a message that mean something to a connector; all others are skipped.
#[derive(Deserialize)]
pub(super) struct Envelope<'a, H = MessageHeaders> {
    #[serde(borrow, default)]
    op: Option<Text<'a>>,
    #[serde(default)]
    pub(super) status: Option<Status>,
    #[serde(borrow, default)]
    pub(super) object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) body: Option<&'a RawValue>,
    #[serde(rename = "messageHeaders")]
    pub(super) message_headers: Option<H>,
    // Parsed apart and only where wanted: headers of an odd shape must not cost the message.
    #[serde(borrow, default)]
    pub(super) headers: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// Reads a frame.
    pub(super) fn read(frame: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read_plain(frame).map_or_else(|| Self::read_any(frame), Ok)
    }

    /// Reads a frame of any spelling.
    pub(super) fn read_any(frame: &'a [u8]) -> Result<Self, DecodeError> {
        // serde would also read an array, as the members in their order.
        if frame.trim_ascii_start().first() != Some(&b'{') {
            return Err(DecodeError::Json { line: 1, column: 1 });
        }
        // Headers of an odd shape must not cost the message.
        json(frame)
            .or_else(|_| json(frame).map(Envelope::without_headers))
            .map_err(|error| DecodeError::Json { line: error.line(), column: error.column() })
    }

    /// Reads what nearly all frames are, where this is one of them.
    fn read_plain(frame: &'a [u8]) -> Option<Self> {
        let (mut op, mut status, mut object, mut body, mut message_headers, mut headers) = Default::default();
        let mut reader = PlainReader::new(std::str::from_utf8(frame).ok()?);
        reader.object(|reader, name| match name {
            b"op" => set_once(&mut op, Text::read_plain(reader)?),
            b"status" => set_once(&mut status, reader.value()?),
            b"object" => set_once(&mut object, reader.value()?),
            b"body" => set_once(&mut body, reader.value()?),
            b"messageHeaders" if reader.null() => set_once(&mut message_headers, None),
            b"messageHeaders" => set_once(&mut message_headers, Some(MessageHeaders::read_plain(reader)?)),
            b"headers" => set_once(&mut headers, reader.value()?),
            _ => reader.skip(),
        })?;
        reader.end()?;
        Some(Self {
            op,
            status: status.flatten(),
            object: object.flatten(),
            body: body.flatten(),
            message_headers: message_headers.flatten(),
            headers: headers.flatten(),
        })
    }

    pub(super) fn op(&self) -> Option<&str> {
        self.op.as_ref().map(|Text(op)| &**op)
    }
}

impl<'a> Envelope<'a, IgnoredAny> {
    /// The same, as if there were no headers.
    fn without_headers(self) -> Envelope<'a, MessageHeaders> {
        let Self { op, status, object, body, headers, .. } = self;
        Envelope { op, status, object, body, message_headers: None, headers }
    }
}

/// A text that is copied only where it holds escapes. An `Option<Cow>` would be copied always.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    fn read_plain(reader: &mut PlainReader<'a>) -> Option<Self> {
        std::str::from_utf8(reader.text()?).ok().map(|text| Self(Cow::Borrowed(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_a_server_are_plain() {
        for message in [
            r#"{"op":"query","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"parameters":{},"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"c672e138-2915-433d-99fe-78a6661ea047","messageHeaders":{"REPLY_ADDR_HEADER":"d15cf6b0-8a1f-11e8-b880-48152d44a589"},"object":{"say":"\"ä\"\n"}}"#,
            r#"{"status":200}"#,
            r#"{"status":200,"headers":{"X-Request-Id":"7"},"body":null}"#,
            r#"{"op":"publish","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"contentType":"application/json","messageHeaders":null,"object":null}"#,
            r#"{"op":"configureExtension","resourceName":"sources","resourceId":"mySource","parameters":{},"address":null,"messageHeaders":{},"object":{"config":{"general":{}}}}"#,
            r#"{"status":400,"contentType":"application/json","body":[{"code":"x","message":"y","params":[1.5,null]}]}"#,
            r#"{"op":"reconnectRequired","resourceName":"sources","resourceId":"mySource"}"#,
        ] {
            assert!(Envelope::read_plain(message.as_bytes()).is_some(), "{message}");
        }
    }

    #[test]
    fn whatever_serde_may_read_otherwise_is_left_to_it() {
        for message in [
            "",
            "[]",
            "{",
            r#"{"op"}"#,
            r#"{"op":"publish""#,
            r#"{"op":"publish",}"#,
            r#"{"op":"publish"},"#,
            r#"{,"op":"publish"}"#,
            r#"{"op":"publish" }"#,
            r#"{"op":"pu\u0062lish"}"#,
            r#"{"o\u0070":"publish"}"#,
            r#"{"op":"publish","op":"query"}"#,
            r#"{"op":null}"#,
            r#"{"op":"publish","object":null,"object":1}"#,
            r#"{"op":"publish","object":1,"object":null}"#,
            r#"{"op":"publish","messageHeaders":null,"messageHeaders":{}}"#,
            r#"{"op":"publish","messageHeaders":nul}"#,
            r#"{"op":"publish","isExternal":tru}"#,
            r#"{"op":"publish" ,"object":1}"#,
            r#"{"status":200.5}"#,
            r#"{"op":"publish","object":1e}"#,
            r#"{"op":"publish","object":1}2"#,
            r#"{"op":"publish","messageHeaders":[]}"#,
            r#"{"op":"query","messageHeaders":{"REPLY_ADDR_HEADER":"a","REPLY_ADDR_HEADER":"b"}}"#,
            "{\"op\":\"a\tb\"}",
            "{\"op\":\"publish\",\n\"object\":1}",
        ] {
            assert!(Envelope::read_plain(message.as_bytes()).is_none(), "{message}");
        }
        assert!(Envelope::read_plain(b"{\"op\":\"\xff\"}").is_none());
    }
}
