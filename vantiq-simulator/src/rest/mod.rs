//! The REST side: what the applications and administrators of a namespace use (PROTOCOL section 11).
//!
//! As much of it as has to do with sources: log in, publish, query, manage sources and their implementations,
//! publish to topics. All else is answered with 404 and words that say so.

mod authentication;
mod error;
mod filter;
mod implementations;
mod record;
mod sources;
mod topics;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;

use crate::http::Door;

pub(crate) use authentication::Authorized;
pub(crate) use error::RestError;
pub(crate) use sources::RESOURCE;

/// Bytes of a request body at most.
pub(crate) const MOST_BYTES: usize = 8 << 20;
/// The same for whoever has yet to log in.
const MOST_BYTES_OF_STRANGERS: usize = 16 << 10;

pub(crate) fn routes() -> Router<Arc<Door>> {
    let resources = Router::new()
        .route("/sources", get(sources::select).post(sources::insert).delete(sources::delete_where))
        .route(
            "/sources/{name}",
            get(sources::select_one)
                .post(sources::publish)
                .put(sources::update)
                .patch(sources::patch)
                .delete(sources::delete),
        )
        .route("/sources/{name}/query", post(sources::query))
        .route("/sourceimpls", get(implementations::select).post(implementations::load))
        .route("/sourceimpls/{name}", get(implementations::select_one).delete(implementations::delete))
        .route("/topics/{*topic}", post(topics::publish))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed);
    Router::new()
        .route("/authenticate", get(authentication::log_in))
        .route(
            "/authenticate/refresh",
            post(authentication::refresh).layer(DefaultBodyLimit::max(MOST_BYTES_OF_STRANGERS)),
        )
        .route("/api/v1/_status", get(authentication::status))
        .nest("/api/v1/resources", resources)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
}

async fn unknown(request: Request) -> RestError {
    RestError::not_simulated(request.uri().path())
}

async fn not_allowed(method: Method, request: Request) -> RestError {
    RestError::not_allowed(&method, request.uri().path())
}

/// The JSON of a request's body. An empty one counts as `{}`, as clients send that for nothing.
pub(crate) fn json(body: &Bytes) -> Result<Value, RestError> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| RestError::not_json(&error))
}

/// An answer with JSON.
pub(crate) struct Json(pub(crate) Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0.to_string()).into_response()
    }
}

/// The header that tells how many records there are.
const TOTAL_COUNT: &str = "x-total-count";
