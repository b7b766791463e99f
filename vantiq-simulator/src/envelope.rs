//! The messages a server sends, with every member a real one has (PROTOCOL sections 3 to 9).
//!
//! Two kinds: a request ([`configure_extension`], [`publish`], [`query`], [`reconnect_required`]) and a
//! [`Status`], which answers or acknowledges.

use serde::Serialize;
use serde_json::{Map, Value, json};

/// The namespace that the simulator pretends to be.
pub(crate) const NAMESPACE: &str = "simulator";
const JSON: &str = "application/json";

/// A request, with the members in the order of the captured samples.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    op: &'static str,
    resource_name: &'static str,
    resource_id: &'a str,
    is_system_resource: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Map<String, Value>>,
    content_type: &'static str,
    skip_monitoring: bool,
    is_external: bool,
    address: String,
    message_headers: Value,
    object: &'a Value,
}

impl<'a> Envelope<'a> {
    fn new(op: &'static str, source: &'a str, object: &'a Value) -> Self {
        Self {
            op,
            resource_name: "sources",
            resource_id: source,
            is_system_resource: true,
            parameters: None,
            content_type: JSON,
            skip_monitoring: false,
            is_external: false,
            address: uuid(),
            message_headers: json!({}),
            object,
        }
    }

    fn to_text(&self) -> String {
        serde_json::to_string(self).expect("an envelope is strings and values only")
    }
}

/// `configureExtension` with the configuration document of the source.
pub(crate) fn configure_extension(source: &str, configuration: &Value) -> String {
    let object = json!({ "config": configuration });
    let mut envelope = Envelope::new("configureExtension", source, &object);
    envelope.parameters = Some(Map::new());
    envelope.to_text()
}

/// `publish` of any JSON document.
pub(crate) fn publish(source: &str, object: &Value) -> String {
    Envelope::new("publish", source, object).to_text()
}

/// `query`, to be answered to `reply_address`.
pub(crate) fn query(source: &str, object: &Value, reply_address: &str) -> String {
    let mut envelope = Envelope::new("query", source, object);
    envelope.message_headers = json!({ "REPLY_ADDR_HEADER": reply_address });
    envelope.to_text()
}

/// `reconnectRequired`, which has no further members.
pub(crate) fn reconnect_required(source: &str) -> String {
    format!(r#"{{"op":"reconnectRequired","resourceName":"sources","resourceId":{}}}"#, json!(source))
}

/// A message without `op`: an answer or an acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    #[serde(rename = "status")]
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

impl Status {
    /// `{"status": ...}` and nothing else.
    pub(crate) fn bare(status: u16) -> Self {
        Self { code: status, content_type: None, headers: None, body: None }
    }

    /// With a body, unless there is none.
    pub(crate) fn with_body(status: u16, body: Option<Value>) -> Self {
        Self { code: status, content_type: Some(JSON), headers: None, body }
    }

    /// With a list of one error.
    pub(crate) fn failure(status: u16, code: &str, message: &str) -> Self {
        Self::with_body(status, Some(error_list(code, message)))
    }

    /// Sends the request's id back in `X-Request-Id`, if it had one.
    pub(crate) fn echo(mut self, request_id: Option<&str>) -> Self {
        self.headers = request_id.map(|id| json!({ "X-Request-Id": id }));
        self
    }

    pub(crate) fn code(&self) -> u16 {
        self.code
    }

    /// Code and message of the first error in the body.
    pub(crate) fn error(&self) -> Option<(String, String)> {
        let error = self.body.as_ref()?.get(0)?;
        Some((error["code"].as_str()?.to_owned(), error["message"].as_str()?.to_owned()))
    }

    pub(crate) fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a status is strings and values only")
    }
}

/// One error as servers write it.
pub(crate) fn error_object(code: &str, message: &str) -> Value {
    json!({ "code": code, "message": message, "params": [] })
}

/// A list of one error.
pub(crate) fn error_list(code: &str, message: &str) -> Value {
    json!([error_object(code, message)])
}

/// The literal answer to a message above the limit, as quoted in vantiq-extension-sources#163.
pub(crate) fn oversized(size: usize, limit: usize) -> Status {
    let message = format!(
        "Cannot process binary frame of size {size}, it would cause message buffer (size 0) to overflow \
         max message size of {limit}"
    );
    let mut error = error_object("io.vantiq.server.error", &message);
    error["details"] = json!(format!("java.lang.IllegalStateException: {message}"));
    Status::with_body(500, Some(json!([error])))
}

/// A random UUID (version 4) in text form.
pub(crate) fn uuid() -> String {
    let bits = rand::random::<u128>() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with the random address made plain.
    fn plain(text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("messages are JSON");
        text.replace(value["address"].as_str().expect("messages have an address"), "<uuid>")
    }

    #[test]
    fn configure_extension_has_the_members_of_the_captured_one() {
        assert_eq!(
            plain(&configure_extension("mySource", &json!({"myConnectorConfig": {"general": {}}}))),
            r#"{"op":"configureExtension","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"parameters":{},"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"<uuid>","messageHeaders":{},"object":{"config":{"myConnectorConfig":{"general":{}}}}}"#
        );
    }

    #[test]
    fn publish_and_query_have_the_members_of_the_captured_ones() {
        assert_eq!(
            plain(&publish("mySource", &json!({"hello": "world"}))),
            r#"{"op":"publish","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"<uuid>","messageHeaders":{},"object":{"hello":"world"}}"#
        );
        assert_eq!(
            plain(&query("mySource", &json!({"x": 1}), "there")),
            r#"{"op":"query","resourceName":"sources","resourceId":"mySource","isSystemResource":true,"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"<uuid>","messageHeaders":{"REPLY_ADDR_HEADER":"there"},"object":{"x":1}}"#
        );
    }

    #[test]
    fn reconnect_required_escapes_the_name() {
        assert_eq!(
            reconnect_required("a\"b"),
            r#"{"op":"reconnectRequired","resourceName":"sources","resourceId":"a\"b"}"#
        );
    }

    #[test]
    fn statuses_hold_only_what_they_were_given() {
        assert_eq!(Status::bare(200).to_text(), r#"{"status":200}"#);
        assert_eq!(
            Status::bare(200).echo(Some("7")).to_text(),
            r#"{"status":200,"headers":{"X-Request-Id":"7"}}"#
        );
    }

    #[test]
    fn the_oversized_error_is_the_literal_one() {
        assert!(oversized(369_122, 262_144).to_text().contains(
            "Cannot process binary frame of size 369122, it would cause message buffer (size 0) to overflow max message size of 262144"
        ));
    }

    #[test]
    fn uuids_have_the_version_and_the_variant() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
    }
}
