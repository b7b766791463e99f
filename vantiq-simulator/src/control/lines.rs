//! [`Lines`]: an answer of one JSON value a line, as long as there are some.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use serde::Serialize;

/// The lines of an answer, several at a time.
pub(super) struct Lines<S>(pub(super) S);

impl<S: Stream<Item = String> + Send + 'static> IntoResponse for Lines<S> {
    fn into_response(self) -> Response {
        use futures_util::StreamExt;

        let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
        let body = Body::from_stream(self.0.map(|text| Ok::<_, Infallible>(Bytes::from(text))));
        (headers, body).into_response()
    }
}

/// Adds a line.
pub(super) fn push(lines: &mut String, value: &impl Serialize) {
    lines.push_str(&serde_json::to_string(value).expect("what is told is texts, numbers and JSON"));
    lines.push('\n');
}

/// One line.
pub(super) fn line(value: &impl Serialize) -> String {
    let mut line = String::new();
    push(&mut line, value);
    line
}
