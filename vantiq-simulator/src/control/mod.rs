//! The control interface under `/simulator`: what is going on, and what to do to whom.
//!
//! The console in the browser and the program's commands are built on it. It needs the token like everything else.
//! What goes on for as long as the client listens is told in lines of JSON, see [`lines`].

mod faults;
mod frame_line;
mod frames;
mod in_force;
mod incident_line;
mod lines;
mod query;
mod state;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::Uri;
use axum::routing::{get, post};

use serde::de::DeserializeOwned;

use crate::http::Door;
use crate::rest::{MOST_BYTES, RestError};
use crate::source::Source;

pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new()
        .route("/simulator/state", get(state::read))
        .route("/simulator/frames", get(frames::read))
        .route("/simulator/sources/{name}/query", post(query::ask))
        .route("/simulator/sources/{name}/faults", post(faults::inflict).delete(faults::heal))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

/// What a request says behind its `?`.
fn wanted<T: DeserializeOwned>(uri: &Uri) -> Result<T, RestError> {
    let wanted = Query::try_from_uri(uri).map(|Query(wanted)| wanted);
    wanted.map_err(|error| RestError::invalid(format!("{}.", error.body_text())))
}

/// Which source a request is about.
type Named = (State<Arc<Door>>, Path<String>);

fn source(door: &Door, name: &str) -> Source {
    Source::new(Arc::clone(&door.shared), name)
}

/// Milliseconds since 1970.
fn since_1970(time: SystemTime) -> f64 {
    milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// To the microsecond, which is as far as anybody reads.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
