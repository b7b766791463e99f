//! [`Envelope`]: the members of a message, each still as it was spelled.

use std::borrow::Cow;

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{DecodeError, Status, message_headers::MessageHeaders, payload::json};

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
        // serde would also read an array, as the members in their order.
        if frame.trim_ascii_start().first() != Some(&b'{') {
            return Err(DecodeError::Json { line: 1, column: 1 });
        }
        // Headers of an odd shape must not cost the message. They are read with it all the same: to read them
        // once more where they are wanted takes 6 % of a query.
        json(frame)
            .or_else(|_| json(frame).map(Envelope::without_headers))
            .map_err(|error| DecodeError::Json { line: error.line(), column: error.column() })
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
