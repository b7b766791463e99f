//! What the server says: the upgrade, the handshake of a source, and the envelopes of what follows.

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::frame::{BINARY, lay};

/// An acknowledgement, as real servers send them.
pub const ACKNOWLEDGEMENT: &[u8] = br#"{"status":200}"#;

/// The answer to an upgrade, and how long the request was; nothing while it is not whole.
///
/// # Errors
/// What is no upgrade.
pub fn upgrade(request: &[u8]) -> Result<Option<(usize, String)>> {
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&request[..end])?;
    let header = |line: &'_ str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    };
    let key = text.lines().find_map(header).context("an upgrade has a key")?;
    let accept = derive_accept_key(key.as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Ok(Some((end + 4, response)))
}

/// The steps of the handshake.
#[derive(Debug)]
pub enum Step {
    /// `validate` is answered.
    Validated,
    /// So is `connectExtension`: the source has its configuration.
    Configured,
}

#[derive(Deserialize)]
struct Request {
    op: String,
    #[serde(rename = "resourceId")]
    source: Option<String>,
}

/// Appends the answer to `validate` or `connectExtension`.
///
/// # Errors
/// What does not belong to a handshake.
pub fn answer(message: &[u8], config: &str, frames: &mut Vec<u8>) -> Result<Step> {
    let request: Request = serde_json::from_slice(message)?;
    match (request.op.as_str(), request.source) {
        ("validate", _) => {
            lay(
                frames,
                BINARY,
                br#"{"status":200,"contentType":"application/json","body":{"anonymous":false}}"#,
            );
            Ok(Step::Validated)
        }
        ("connectExtension", Some(source)) => {
            let object = format!(r#"{{"config":{config}}}"#);
            lay(frames, BINARY, envelope("configureExtension", &source, "{}", &object).as_bytes());
            Ok(Step::Configured)
        }
        (other, _) => bail!("{other} within the handshake"),
    }
}

/// A publish to the one source.
pub fn publish(object: &str) -> String {
    envelope("publish", SOURCE, "{}", object)
}

/// A query to the one source, to be answered to this address.
pub fn query(address: &str, object: &str) -> String {
    envelope("query", SOURCE, &format!(r#"{{"REPLY_ADDR_HEADER":"{address}"}}"#), object)
}

/// The source of the scenarios with one link.
pub const SOURCE: &str = "source-0";

/// With all the members that a real server sends.
fn envelope(op: &str, source: &str, headers: &str, object: &str) -> String {
    format!(
        r#"{{"op":"{op}","resourceName":"sources","resourceId":"{source}","isSystemResource":true,"parameters":{{}},"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"c672e138-2915-433d-99fe-78a6661ea047","messageHeaders":{headers},"object":{object}}}"#
    )
}
