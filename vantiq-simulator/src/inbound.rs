//! What a connector sends, read as leniently as a server may (PROTOCOL section 4).

use serde::Deserialize;
use serde_json::value::RawValue;

/// Any message of a connector. Members that do not matter are ignored, `null` counts as absent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Inbound<'a> {
    pub(crate) op: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) resource_name: Option<String>,
    pub(crate) resource_id: Option<String>,
    #[serde(borrow)]
    pub(crate) object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) body: Option<&'a RawValue>,
    parameters: Option<Parameters>,
    headers: Option<Headers>,
    message_headers: Option<MessageHeaders>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameters {
    request_id: Option<String>,
    reconnect_secret: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Headers {
    #[serde(rename = "X-Reply-Address")]
    reply_address: Option<String>,
}

#[derive(Debug, Deserialize)]
struct MessageHeaders {
    #[serde(rename = "REPLY_ADDR_HEADER")]
    reply_address: Option<String>,
}

impl<'a> Inbound<'a> {
    /// Reads one message.
    ///
    /// # Errors
    ///
    /// The parser's, when the payload is not a JSON object or a member has the wrong type.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(payload)
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.parameters.as_ref()?.request_id.as_deref()
    }

    pub(crate) fn reconnect_secret(&self) -> Option<&str> {
        self.parameters.as_ref()?.reconnect_secret.as_deref()
    }

    pub(crate) fn reply_address(&self) -> Option<&str> {
        self.headers.as_ref()?.reply_address.as_deref()
    }

    /// Where a query, which is read here in a recording only, wants its answers.
    pub(crate) fn asks_to_reply_at(&self) -> Option<&str> {
        self.message_headers.as_ref()?.reply_address.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_java_sdk_sends() {
        let text = br#"{"address":"","messageHeaders":{},"namespaceName":null,"locale":null,"op":"connectExtension","resourceName":"sources","resourceId":"mySource","parameters":{"reconnectSecret":"s"},"object":null,"contentType":"application/json; charset=utf-8","responseType":null,"sourceName":"mySource"}"#;
        let message = Inbound::parse(text).expect("the message is well formed");
        assert_eq!(message.op.as_deref(), Some("connectExtension"));
        assert_eq!(message.reconnect_secret(), Some("s"));
        assert!(message.object.is_none());
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert!(Inbound::parse(b"Vantiq-Ping").is_err());
        assert!(Inbound::parse(br#""text""#).is_err());
        assert!(Inbound::parse(br#"{"status":"200"}"#).is_err());
    }
}
