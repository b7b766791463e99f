//! Logging in, and [`Authorized`]: proof that a request may do what it asks for.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use data_encoding::BASE64;
use serde_json::json;

use super::Json;
use super::error::RestError;
use crate::http::Door;
use crate::settings::Settings;

/// The request bears the token.
pub(crate) struct Authorized;

impl FromRequestParts<Arc<Door>> for Authorized {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, RestError> {
        if bears_token(&parts.headers, &door.shared.settings) {
            Ok(Self)
        } else {
            Err(RestError::unauthorized())
        }
    }
}

/// `GET /authenticate`, with a user and a password or with the token.
pub(super) async fn log_in(State(door): State<Arc<Door>>, headers: HeaderMap) -> Result<Json, RestError> {
    let settings = &door.shared.settings;
    if bears_token(&headers, settings) || names_user(&headers, settings) {
        Ok(tokens(settings))
    } else {
        Err(RestError::unauthorized())
    }
}

/// `POST /authenticate/refresh`, with the token as text.
pub(super) async fn refresh(State(door): State<Arc<Door>>, body: String) -> Result<Json, RestError> {
    let settings = &door.shared.settings;
    if body.trim() == settings.token { Ok(tokens(settings)) } else { Err(RestError::unauthorized()) }
}

/// `GET /api/v1/_status`: whether the token is the right one.
pub(super) async fn status(_: Authorized) -> Json {
    Json(json!({}))
}

fn tokens(settings: &Settings) -> Json {
    Json(json!({ "accessToken": settings.token, "idToken": "simulator" }))
}

fn bears_token(headers: &HeaderMap, settings: &Settings) -> bool {
    credentials(headers, "Bearer").is_some_and(|token| token == settings.token)
}

fn names_user(headers: &HeaderMap, settings: &Settings) -> bool {
    let presented = credentials(headers, "Basic").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let expected = settings.login.as_ref().map(|(user, password)| format!("{user}:{password}"));
    presented.zip(expected).is_some_and(|(presented, expected)| presented == expected.as_bytes())
}

/// What follows the scheme, whose letters may be of any size.
fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (presented, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    presented.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
}
