//! [`ReplyAddress`]: where the answers to one query go.

use std::fmt;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::inbound::LONGEST_NAME;

/// Where the answers to one query go (`docs/PROTOCOL.md`, section 7).
///
/// The JSON text is kept as the server spelled it, for nobody reads it: it is repeated in each answer.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct ReplyAddress(Box<RawValue>);

impl ReplyAddress {
    /// The address as JSON: a text in quotation marks.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// `None` where it is no text, or longer than any address is.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let is_address = text.starts_with('"') && text.len() <= LONGEST_NAME + r#""""#.len();
        // The reader that skips a text does not look whether its escapes make one; whoever reads the answer does.
        let is_text = || !text.contains('\\') || serde_json::from_str::<String>(text).is_ok();
        (is_address && is_text()).then(|| Self(raw.to_owned()))
    }
}

impl From<&str> for ReplyAddress {
    fn from(address: &str) -> Self {
        Self(to_raw_value(address).expect("a text always serialises"))
    }
}

impl PartialEq for ReplyAddress {
    /// Whether both are spelled alike.
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for ReplyAddress {}

impl fmt::Debug for ReplyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReplyAddress").field(&self.as_json()).finish()
    }
}
