//! [`Object`]: a JSON object that is written member by member.

use serde::Serialize;

use super::{JsonArray, Payload};

/// Why serialising what a message is made of, but for the payload, cannot fail.
const SERIALISES: &str = "texts, numbers and valid JSON always serialise";

/// A JSON object that is written behind whatever is in `text`.
///
/// Messages are written with it and not derived, for their payload is the last member: so all before it is copied
/// where it is the same each time, and the payload is written once, where it stays.
pub(super) struct Object<'a> {
    text: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    pub(super) fn open(text: &'a mut Vec<u8>) -> Self {
        text.push(b'{');
        Self { text }
    }

    /// Goes on with the object at the end of `text`, which was not closed.
    pub(super) const fn resume(text: &'a mut Vec<u8>) -> Self {
        Self { text }
    }

    /// A member that always serialises. `name` needs no escapes.
    pub(super) fn member<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        self.try_member(name, value).expect(SERIALISES)
    }

    /// A member of a type that may not serialise.
    pub(super) fn try_member<T: Serialize + ?Sized>(self, name: &str, value: &T) -> serde_json::Result<Self> {
        let text = self.name(name);
        serde_json::to_writer(&mut *text, value)?;
        Ok(Self { text })
    }

    /// A member that is JSON text already.
    pub(super) fn payload(self, name: &str, payload: &Payload) -> Self {
        let text = self.name(name);
        text.extend_from_slice(payload.as_bytes());
        Self { text }
    }

    /// A member that is an object.
    pub(super) fn nested(self, name: &str, members: impl FnOnce(Object<'_>) -> Object<'_>) -> Self {
        let text = self.name(name);
        members(Object::open(text)).close();
        Self { text }
    }

    /// A member that is an array.
    pub(super) fn array(self, name: &str, array: &JsonArray) -> Self {
        let text = self.name(name);
        array.write(text);
        Self { text }
    }

    pub(super) fn close(self) {
        self.text.push(b'}');
    }

    fn name(self, name: &str) -> &'a mut Vec<u8> {
        if self.text.last() != Some(&b'{') {
            self.text.push(b',');
        }
        self.text.push(b'"');
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        self.text
    }
}
