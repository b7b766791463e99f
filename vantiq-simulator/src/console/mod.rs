//! The console: a page at `/` to see what connectors do and to do what a person, a rule or a network would.
//!
//! It is served from the binary and uses the [control interface](crate::control) like any other program. Reading it
//! needs no token; what it asks for does.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, Method, Response};
use axum::response::IntoResponse;
use axum::routing::any;

use crate::http::{Door, elsewhere};

/// Nothing but its own scripts and styles: what a connector sends can never run as part of the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

const PAGE: &str = include_str!("index.html");

/// Name, type and text of a file beside the page.
macro_rules! files {
    ($($kind:ident $name:literal,)*) => { [$(($name, $kind, include_str!($name)),)*] };
}

static FILES: &[(&str, &str, &str)] = &files![
    CSS "style.css",
    SCRIPT "api.js",
    SCRIPT "configuration.js",
    SCRIPT "connection.js",
    SCRIPT "detail.js",
    SCRIPT "dom.js",
    SCRIPT "errors.js",
    SCRIPT "exchange.js",
    SCRIPT "faults.js",
    SCRIPT "filter.js",
    SCRIPT "follow.js",
    SCRIPT "format.js",
    SCRIPT "frame.js",
    SCRIPT "framelist.js",
    SCRIPT "frames.js",
    SCRIPT "history.js",
    SCRIPT "incident.js",
    SCRIPT "json.js",
    SCRIPT "keep.js",
    SCRIPT "keys.js",
    SCRIPT "kin.js",
    SCRIPT "main.js",
    SCRIPT "notifications.js",
    SCRIPT "plot.js",
    SCRIPT "recording.js",
    SCRIPT "removal.js",
    SCRIPT "rowtable.js",
    SCRIPT "sampling.js",
    SCRIPT "source.js",
    SCRIPT "sources.js",
    SCRIPT "tabs.js",
    SCRIPT "timeline.js",
    SCRIPT "token.js",
    SCRIPT "violations.js",
];

pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new().route("/", any(page)).route("/console/{file}", any(file))
}

async fn page(door: State<Arc<Door>>, request: Request) -> Response<Body> {
    // A connector whose `targetServer` lacks the path dials here, and gets what it always got.
    if is_read(&request) { answer(HTML, PAGE) } else { elsewhere(door, request).await }
}

async fn file(door: State<Arc<Door>>, Path(name): Path<String>, request: Request) -> Response<Body> {
    let found = FILES.iter().find(|(file, ..)| *file == name);
    match found.filter(|_| is_read(&request)) {
        Some((_, kind, text)) => answer(kind, text),
        None => elsewhere(door, request).await,
    }
}

fn is_read(request: &Request) -> bool {
    let asks = [Method::GET, Method::HEAD].contains(request.method());
    asks && !crate::upgrade::is_asked_for(request.headers())
}

fn answer(kind: &'static str, text: &'static str) -> Response<Body> {
    let headers: [(HeaderName, &str); 5] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // The next simulator on this port may be another version.
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands between `before` and the next quote, each time.
    fn quoted<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(['\'', '"']).next())
    }

    #[test]
    fn whatever_is_asked_for_is_there() {
        let modules = FILES.iter().flat_map(|(.., text)| quoted(text, "from './"));
        for name in modules.chain(quoted(PAGE, "\"/console/")) {
            assert!(FILES.iter().any(|(file, ..)| *file == name), "{name}");
        }
    }

    /// A style or a handler, as an attribute.
    fn is_inline(word: &str) -> bool {
        word.split_once('=').is_some_and(|(name, _)| name == "style" || name.starts_with("on"))
    }

    #[test]
    fn nothing_is_there_that_the_policy_forbids_or_that_makes_markup_of_data() {
        let mut words = PAGE.split_whitespace();
        assert!(!PAGE.contains("<style") && words.all(|word| !is_inline(word)), "something is inline");
        for (name, _, text) in FILES {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "http://",
                "https://",
            ] {
                let is_there = text.replace("http://www.w3.org/2000/svg", "").contains(word);
                assert!(!is_there, "{name} has {word}");
            }
        }
    }
}
