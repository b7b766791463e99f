//! [`JsonArray`]: a JSON array as text, made from elements that are text already.

use std::fmt;

use serde_json::value::RawValue;

/// A JSON array that is still text.
///
/// Its `Debug` shows its length only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JsonArray {
    /// The elements with commas between them.
    text: Vec<u8>,
    len: usize,
}

/// The brackets around the elements.
const BRACKETS: usize = 2;
/// What stands between two elements.
const COMMA: usize = 1;

impl JsonArray {
    /// An array without elements.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: Vec::new(), len: 0 }
    }

    /// Appends an element.
    pub fn push(&mut self, element: &RawValue) {
        self.push_text(element.get().as_bytes());
    }

    /// Appends an element that is the text of one JSON value.
    pub(crate) fn push_text(&mut self, element: &[u8]) {
        if self.len > 0 {
            self.text.push(b',');
        }
        self.text.extend_from_slice(element);
        self.len += 1;
    }

    /// The number of elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Length of the text in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.text.len() + BRACKETS
    }

    /// Length of the text in bytes, were an element of `size` bytes appended.
    #[must_use]
    pub const fn bytes_with(&self, size: usize) -> usize {
        self.bytes() + size + if self.is_empty() { 0 } else { COMMA }
    }

    /// Appends the text of the array to `text`.
    pub(super) fn write(&self, text: &mut Vec<u8>) {
        text.push(b'[');
        text.extend_from_slice(&self.text);
        text.push(b']');
    }
}

impl fmt::Debug for JsonArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonArray({} elements, {} bytes)", self.len(), self.bytes())
    }
}
