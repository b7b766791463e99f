//! [`advice`]: what to do about a source that the server refuses. Pure.
//!
//! The server's wording is known only in part and may change (`docs/PROTOCOL.md`, section 5), so it serves
//! for a hint to people and decides nothing.

use crate::protocol::ServerError;

/// For whoever reads the log.
pub(super) fn advice(error: &ServerError) -> &'static str {
    let text = [&error.code, &error.message].map(|part| part.as_deref().unwrap_or_default().to_lowercase());
    let says = |part: &str| text.iter().any(|text| text.contains(part));
    if says("associated stream") {
        "the source is restarting after a change; nothing needs to be done"
    } else if says("not.active") || says("not currently active") {
        "activate the source in Vantiq"
    } else if says("claim ownership") {
        "if it goes on: stop the connector, deactivate the source for half a minute, begin again"
    } else if says("already") || says("another connector") {
        "stop the other connector of this source; or, if it is a dead link of this one, set `reconnectSecret` in server.config"
    } else if says("not exist") || says("not found") || says("not.found") || says("no such") {
        "create a source of this name in the token's namespace, or correct `sources` in server.config"
    } else {
        "check that the source exists in the token's namespace, that it is active, and that no other connector serves it"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Payload, Status};

    fn advice_on(body: &serde_json::Value) -> &'static str {
        advice(&ServerError::read(Status(400), &Payload::from_value(body).unwrap()))
    }

    #[test]
    fn each_known_wording_gets_its_advice() {
        let cases = [
            ("because the source ns:a does not have an associated stream", "is restarting"),
            ("The source ns:a is not currently active.", "activate"),
            ("The Deactivation operation to claim ownership on member 1 failed", "deactivate"),
            ("A connection for source a already exists", "reconnectSecret"),
            ("The source ns:a does not exist", "create"),
        ];
        for (message, part) in cases {
            let advice = advice_on(&serde_json::json!([{"code": "x", "message": message}]));
            assert!(advice.contains(part), "{message}: {advice}");
        }
        let by_code = advice_on(&serde_json::json!([{"code": "io.vantiq.sourcemgr.source.not.active"}]));
        assert!(by_code.contains("activate"));
        assert!(advice_on(&serde_json::Value::Null).contains("no other connector"));
    }
}
