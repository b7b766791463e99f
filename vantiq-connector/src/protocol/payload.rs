//! [`Payload`]: the part of a message that belongs to the connector, still as JSON text.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::redact::{self, cut};
use crate::{packed::packed, scratch::with_scratch};

/// The `object` or `body` of a message, a row or an address: JSON text. What comes from the server is a slice of the
/// frame it came in.
///
/// It is parsed once, in the task that uses it, straight into the type that is wanted. `Debug` shows its
/// length only, for a configuration document may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// `null`, which is also what an absent member means.
    pub const NULL: Self = Self(Bytes::from_static(b"null"));

    /// The payload that `value` serialises to.
    ///
    /// # Errors
    /// What `serde_json` says of a value that has no JSON form, such as a map with keys that are no text.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<Self> {
        with_scratch(|text| {
            serde_json::to_writer(&mut *text, value)?;
            Ok(Self(packed(text)))
        })
    }

    /// A copy, which does not keep the frame from which `raw` borrows.
    pub(super) fn copied(raw: &RawValue) -> Self {
        Self(packed(raw.get().as_bytes()))
    }

    /// The slice of `frame` that `raw` borrows from.
    pub(super) fn of_frame(frame: &Bytes, raw: Option<&RawValue>) -> Self {
        raw.map_or(Self::NULL, |raw| Self(frame.slice_ref(raw.get().as_bytes())))
    }

    /// The JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length of the JSON text in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: even `null` has four bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both are the same JSON, whatever the order of members and the white space.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let value = |payload: &Self| serde_json::from_slice::<serde_json::Value>(&payload.0);
        self == other || matches!((value(self), value(other)), (Ok(one), Ok(other)) if one == other)
    }

    /// Parses the payload.
    ///
    /// # Errors
    /// [`ShapeError`], which names the field that does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ShapeError> {
        // Keeping track of the path costs as much again as parsing, and is of use only where that fails.
        json(&self.0).or_else(|_| {
            let mut text = serde_json::Deserializer::from_slice(&self.0);
            serde_path_to_error::deserialize(&mut text).map_err(ShapeError::new)
        })
    }
}

/// Reads JSON. Once all of it is known to be UTF-8, which is quick to see, its texts need no look of their own.
pub(super) fn json<'a, T: Deserialize<'a>>(text: &'a [u8]) -> serde_json::Result<T> {
    std::str::from_utf8(text).map_or_else(|_| serde_json::from_slice(text), serde_json::from_str)
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(|_| {
            // A payload is made from valid JSON only; see `of_frame`, `copied` and `from_value`.
            serde::ser::Error::custom("payload is not JSON")
        })?;
        raw.serialize(serializer)
    }
}

/// A payload that does not fit the type it was to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    path: String,
    message: String,
}

/// Names in a document can be of any length, and the path goes into log lines.
const PATH_CHARS: usize = 300;

impl ShapeError {
    fn new(error: serde_path_to_error::Error<serde_json::Error>) -> Self {
        let path = match error.path().to_string() {
            path if path == "." => String::new(),
            path => cut(&path, PATH_CHARS),
        };
        // The position of a value inside a frame tells a reader nothing; the path does.
        let mut message = error.into_inner().to_string();
        if let Some(at) = message.rfind(" at line ") {
            message.truncate(at);
        }
        Self { path, message }
    }

    /// Where in the document, as in `general.ports[2]`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What does not fit and what was expected. It quotes the offending value: fit for whoever sent the
    /// document, not for a log where the document may hold secrets; see [`redacted`](Self::redacted).
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same without any value of the document: what a type's own check says of a value is left out whole.
    #[must_use]
    pub fn redacted(&self) -> Self {
        Self { path: self.path.clone(), message: redact::values_of(&self.message) }
    }

    /// An error that `T`'s deserialisation did not raise itself.
    #[cfg(test)]
    pub(crate) fn of<T: DeserializeOwned>(json: &str) -> Option<Self> {
        Payload(Bytes::copy_from_slice(json.as_bytes())).parse::<T>().err()
    }
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "at `{}`: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for ShapeError {}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Config {
        #[expect(dead_code, reason = "only its shape matters")]
        general: General,
    }

    #[derive(Debug, Deserialize)]
    struct General {
        #[expect(dead_code, reason = "only its shape matters")]
        ports: Vec<u16>,
    }

    #[test]
    fn a_wrong_shape_names_the_path_and_what_was_expected() {
        let error = ShapeError::of::<Config>(r#"{"general":{"ports":[1,"hunter2"]}}"#).unwrap();
        assert_eq!(error.path(), "general.ports[1]");
        assert_eq!(error.message(), r#"invalid type: string "hunter2", expected u16"#);
        assert_eq!(error.redacted().to_string(), "at `general.ports[1]`: invalid type: string, expected u16");
    }

    #[test]
    fn a_path_is_no_longer_than_a_line() {
        let json = format!(r#"{{"{}":"x"}}"#, "n".repeat(100_000));
        let error = ShapeError::of::<std::collections::HashMap<String, u16>>(&json).unwrap();
        assert_eq!(error.path().chars().count(), PATH_CHARS + 1);
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = ShapeError::of::<Config>("{}").unwrap();
        assert_eq!(error.to_string(), "missing field `general`");
    }

    #[test]
    fn debug_hides_the_document() {
        let payload = Payload::from_value(&"hunter2").unwrap();
        assert_eq!(format!("{payload:?}"), "Payload(9 bytes)");
    }
}
