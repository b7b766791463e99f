//! The value of `targetServer`.

use super::{CANARY, assert_hidden};
use crate::transport::Endpoint;

/// Whatever `text` is, it is an address that can be dialled or an error, and what looks like a password is
/// not shown.
pub fn target_server(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(endpoint) = Endpoint::parse(text) {
        dialled(&endpoint);
    }
    for text in [
        format!("https://user:{CANARY}@{text}"),
        format!("user:{CANARY}@{text}"),
        format!("https://user:{CANARY}/{text}@h"),
        format!("https://user:{CANARY}{text}"),
    ] {
        if !text.replacen(CANARY, "", 1).contains(CANARY) {
            match Endpoint::parse(&text) {
                Ok(endpoint) => assert_hidden(&endpoint.to_string()),
                Err(error) => assert_hidden(&format!("{error} {error:?}")),
            }
        }
    }
}

fn dialled(endpoint: &Endpoint) {
    assert!(!endpoint.host().is_empty());
    let scheme = if endpoint.is_tls() { "wss://" } else { "ws://" };
    assert!(endpoint.to_string().starts_with(scheme));
    assert!(endpoint.uri().path().ends_with("/wsock/websocket"), "{endpoint}");
    let again = Endpoint::parse(&endpoint.uri().to_string());
    assert_eq!(again.as_ref(), Ok(endpoint), "what is dialled is read as itself");
    let port = endpoint.port();
    #[cfg(feature = "proxy")]
    assert_eq!(endpoint.http_uri().port_u16(), Some(port), "{endpoint}");
    let _ = port;
}
