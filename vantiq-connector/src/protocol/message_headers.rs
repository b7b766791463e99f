//! [`MessageHeaders`]: what the server adds to a message.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use super::{
    ReplyAddress,
    plain::{PlainReader, set_once},
};

/// The `messageHeaders` of a message, of which only the reply address means something. They are an object.
#[derive(Debug)]
pub(super) struct MessageHeaders {
    pub(super) reply_address: Option<ReplyAddress>,
}

impl MessageHeaders {
    pub(super) fn read_plain(reader: &mut PlainReader<'_>) -> Option<Self> {
        let mut reply_address = None;
        reader.object(|reader, name| match name {
            b"REPLY_ADDR_HEADER" => set_once(&mut reply_address, reader.value::<Option<&RawValue>>()?),
            _ => reader.skip(),
        })?;
        Some(Self { reply_address: reply_address.flatten().and_then(ReplyAddress::read) })
    }
}

impl<'de> Deserialize<'de> for MessageHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As a map, for what is derived would also read an array, as the members in their order.
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = MessageHeaders;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MessageHeaders, A::Error> {
        #[derive(Deserialize)]
        struct Known<'a> {
            // The wire's `REPLY_ADDR_HEADER`, see `name::REPLY_ADDRESS_HEADER`.
            #[serde(rename = "REPLY_ADDR_HEADER", borrow, default)]
            reply_address: Option<&'a RawValue>,
        }
        let known = Known::deserialize(MapAccessDeserializer::new(map))?;
        Ok(MessageHeaders { reply_address: known.reply_address.and_then(ReplyAddress::read) })
    }
}
