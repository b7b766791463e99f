//! [`ReplyAddress`]: where the answers to one query go.

use std::fmt;

use serde_json::value::RawValue;

use super::{Payload, inbound::LONGEST_NAME};

/// Where the answers to one query go (`docs/PROTOCOL.md`, section 7).
///
/// The JSON text is kept as the server spelled it, for nobody reads it: it is repeated in each answer. Two are equal
/// where they are spelled alike.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyAddress(Payload);

impl ReplyAddress {
    /// The address as JSON: a text in quotation marks.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) const fn as_payload(&self) -> &Payload {
        &self.0
    }

    /// `None` where it is no text, or longer than any address is.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let is_address = text.starts_with('"') && text.len() <= LONGEST_NAME + r#""""#.len();
        // The reader that skips a text does not look whether its escapes make one; whoever reads the answer does.
        let is_text = || !text.contains('\\') || serde_json::from_str::<String>(text).is_ok();
        (is_address && is_text()).then(|| Self(Payload::copied(raw)))
    }
}

impl From<&str> for ReplyAddress {
    fn from(address: &str) -> Self {
        Self(Payload::from_value(address).expect("a text always serialises"))
    }
}

impl fmt::Debug for ReplyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyAddress").field(&String::from_utf8_lossy(self.as_bytes())).finish()
    }
}
