//! [`admit`]: turns away what a web page elsewhere makes a browser send.
//!
//! A page can have any name resolve to 127.0.0.1 (DNS rebinding), which shows in `Host`, and can send requests to
//! other hosts than its own, which shows in `Origin`. Neither knows the token, but nor shall it guess.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::warn;

use crate::http::Door;
use crate::this_machine::is_this_machine;

pub(crate) async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match judge(request.headers(), door.shared.settings.allow_remote) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            warn!(why, "a request is turned away");
            (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
        }
    }
}

fn judge(headers: &HeaderMap, allow_remote: bool) -> Result<(), &'static str> {
    let host = text(headers, &HOST)?;
    if !allow_remote && host.is_some_and(|host| !is_this_machine(name(host))) {
        return Err("`Host` is not this machine; start the simulator with --allow-remote to serve others");
    }
    match text(headers, &ORIGIN)? {
        Some(origin) if origin.split_once("://").map(|(_, authority)| authority) != host => {
            Err("`Origin` is another place than the simulator")
        }
        _ => Ok(()),
    }
}

/// A header that may be absent, but neither there twice nor unreadable.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str()).transpose();
    match (value, values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err("`Host` or `Origin` cannot be read"),
    }
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(name, value.parse().expect("a header"));
        }
        headers
    }

    #[test]
    fn programs_and_its_own_pages_are_admitted() {
        for host in ["127.0.0.1:8081", "localhost", "LOCALHOST:1", "[::1]:8081", "127.8.0.1"] {
            assert_eq!(judge(&headers(&[(HOST, host)]), false), Ok(()), "{host}");
        }
        let own = headers(&[(HOST, "127.0.0.1:8081"), (ORIGIN, "http://127.0.0.1:8081")]);
        assert_eq!(judge(&own, false), Ok(()));
        assert_eq!(judge(&headers(&[]), false), Ok(()), "as HTTP/1.0 has it");
        assert_eq!(judge(&headers(&[(HOST, "desk.example:8081")]), true), Ok(()));
    }

    #[test]
    fn pages_elsewhere_are_not() {
        let here = (HOST, "127.0.0.1:8081");
        for list in [
            vec![(HOST, "evil.example:8081")],
            vec![(HOST, "127.0.0.1.evil.example")],
            vec![(HOST, "localhost.evil.example:8081")],
            vec![here.clone(), (ORIGIN, "http://evil.example")],
            vec![here.clone(), (ORIGIN, "null")],
            vec![here.clone(), (ORIGIN, "http://127.0.0.1:3000")],
            vec![here.clone(), (HOST, "evil.example")],
        ] {
            assert!(judge(&headers(&list), false).is_err(), "{list:?}");
        }
        let remote = headers(&[(HOST, "desk.example"), (ORIGIN, "http://evil.example")]);
        assert!(judge(&remote, true).is_err());
    }
}
