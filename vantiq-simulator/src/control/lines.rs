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
    let text = serde_json::to_string(value).expect("what is told is texts, numbers and JSON");
    // JSON that is passed on as it came may be of several lines; within texts there are none.
    lines.extend(text.chars().map(|char| if char == '\n' || char == '\r' { ' ' } else { char }));
    lines.push('\n');
}

/// One line.
pub(super) fn line(value: &impl Serialize) -> String {
    let mut line = String::new();
    push(&mut line, value);
    line
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_line_is_one_however_its_json_was_written() {
        let written = RawValue::from_string("[1,\r\n \"a\\nb\"]".to_owned()).expect("it is JSON");
        assert_eq!(line(&written), "[1,   \"a\\nb\"]\n");
    }
}
