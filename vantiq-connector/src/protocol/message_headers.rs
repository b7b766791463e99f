//! [`MessageHeaders`]: what the server adds to a message.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::value::RawValue;

use super::ReplyAddress;

/// The `messageHeaders` of a message, of which only the reply address means something. Those that are no object have
/// none.
#[derive(Debug, Default)]
pub(super) struct MessageHeaders {
    pub(super) reply_address: Option<ReplyAddress>,
}

impl<'de> Deserialize<'de> for MessageHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // At once with the message: to read them once more where they are wanted costs a tenth of a query.
        deserializer.deserialize_any(AnyShape)
    }
}

/// Takes any JSON value.
struct AnyShape;

impl<'de> Visitor<'de> for AnyShape {
    type Value = MessageHeaders;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MessageHeaders, A::Error> {
        #[derive(Deserialize)]
        struct Object<'a> {
            // The wire's `REPLY_ADDR_HEADER`, see `name::REPLY_ADDRESS_HEADER`.
            #[serde(rename = "REPLY_ADDR_HEADER", borrow, default)]
            reply_address: Option<&'a RawValue>,
        }
        let object = Object::deserialize(MapAccessDeserializer::new(map))?;
        Ok(MessageHeaders { reply_address: object.reply_address.and_then(ReplyAddress::read) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<MessageHeaders, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(MessageHeaders::default())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }

    fn visit_unit<E: Error>(self) -> Result<MessageHeaders, E> {
        Ok(MessageHeaders::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_address(json: &str) -> Option<String> {
        let headers: MessageHeaders = serde_json::from_str(json).expect(json);
        headers.reply_address.map(|address| address.as_json().to_owned())
    }

    #[test]
    fn the_reply_address_is_kept_as_it_is_spelled() {
        assert_eq!(
            reply_address(r#"{"a":[],"REPLY_ADDR_HEADER" : "x\u0041" }"#).as_deref(),
            Some(r#""x\u0041""#)
        );
    }

    #[test]
    fn headers_of_any_other_shape_bring_none() {
        for json in
            ["null", "true", "-1", "1", "1.5", r#""text""#, "[]", r#"[{"REPLY_ADDR_HEADER":"x"},2]"#, "{}"]
        {
            assert_eq!(reply_address(json), None, "{json}");
        }
        for address in ["null", "7", "{}", r#"["x"]"#, r#""\ud800""#] {
            assert_eq!(reply_address(&format!(r#"{{"REPLY_ADDR_HEADER":{address}}}"#)), None, "{address}");
        }
    }
}
