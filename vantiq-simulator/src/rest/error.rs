//! [`RestError`]: a status and a list of one error, as a server answers.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::envelope::{self, NAMESPACE};
use crate::error::{SimulatorError, SimulatorErrorKind};
use crate::query::{QueryReply, text_of};
use crate::refusal;
use crate::validation::{AUTHENTICATION_FAILED, FAILURE_MESSAGE};

/// Code for a source without a connector.
const NO_SESSION: &str = "com.accessg2.ag2rs.streams.source.not_found";

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct RestError {
    status: StatusCode,
    body: Value,
}

impl RestError {
    fn new(status: StatusCode, code: &str, message: &str) -> Self {
        Self { status, body: envelope::error_list(code, message) }
    }

    fn bad(code: &str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, AUTHENTICATION_FAILED, FAILURE_MESSAGE)
    }

    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        Self::bad("io.vantiq.server.error", &format!("The body is not JSON: {error}"))
    }

    pub(crate) fn invalid(message: impl AsRef<str>) -> Self {
        Self::bad("io.vantiq.resource.invalid", message.as_ref())
    }

    pub(super) fn not_simulated(path: &str) -> Self {
        let message = format!("The simulator has no {path}; it has sources, sourceimpls and topics.");
        Self::new(StatusCode::NOT_FOUND, "io.vantiq.resource.not.found", &message)
    }

    pub(super) fn not_allowed(method: &Method, path: &str) -> Self {
        let message = format!("{path} does not take {method}.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "io.vantiq.server.error", &message)
    }

    /// There is no such record.
    pub(crate) fn missing(resource: &str, name: &str) -> Self {
        let message = format!("The {resource} instance with name {name} could not be found.");
        Self::new(StatusCode::NOT_FOUND, "io.vantiq.resource.not.found", &message)
    }

    pub(super) fn exists(resource: &str, name: &str) -> Self {
        let message = format!("The {resource} instance with name {name} already exists.");
        Self::new(StatusCode::CONFLICT, "io.vantiq.resource.already.exists", &message)
    }

    pub(super) fn too_many(resource: &str) -> Self {
        let message = format!("There are too many {resource}.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "io.vantiq.server.error", &message)
    }

    pub(super) fn not_active(source: &str) -> Self {
        let (code, message) = refusal::not_active(source);
        Self::bad(code, &message)
    }

    /// Why a source did not do what was asked of it.
    pub(crate) fn of_source(source: &str, operation: &str, error: &SimulatorError) -> Self {
        match error.kind() {
            SimulatorErrorKind::QueryTimeout { .. } | SimulatorErrorKind::Deadline { .. } => Self::bad(
                "io.vantiq.sourcemgr.request.timeout",
                &format!("The source {NAMESPACE}:{source} did not respond in time: {error}."),
            ),
            SimulatorErrorKind::AnswerTooLarge { .. } => {
                Self::bad("io.vantiq.sourcemgr.request.failed", &format!("{error}."))
            }
            _ => Self::bad(
                NO_SESSION,
                &format!(
                    "The EXTENSION source {source} (namespace {NAMESPACE}) has no associated session for \
                     operation {operation}."
                ),
            ),
        }
    }

    /// There is no link to do something to.
    pub(crate) fn no_link(source: &str) -> Self {
        let message = format!("No connector of the source {NAMESPACE}:{source} has a connection at present.");
        Self::bad(NO_SESSION, &message)
    }

    /// The error by itself.
    pub(crate) fn first(&self) -> &Value {
        &self.body[0]
    }

    /// A connector answered a query with an error: its code, and its template with the parameters in place.
    pub(super) fn of_connector(reply: &QueryReply) -> Self {
        let Some(error) = reply.error() else {
            return Self::bad("io.vantiq.sourcemgr.request.failed", &reply.body.to_string());
        };
        let params: Vec<_> = error.parameters.iter().map(text_of).collect();
        let mut refused = Self::bad(&error.message_code, &error.message());
        refused.body[0]["params"] = params.into();
        refused
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        (self.status, headers, self.body.to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_template_of_a_connector_is_filled() {
        let body = json!({"messageCode": "c", "messageTemplate": "{1} of {0}", "parameters": ["a", 7]});
        let error = RestError::of_connector(&QueryReply { partials: vec![], status: 400, body });
        assert_eq!(error.body, json!([{"code": "c", "message": "7 of a", "params": ["a", "7"]}]));
        let odd = RestError::of_connector(&QueryReply { partials: vec![], status: 500, body: json!("no") });
        assert_eq!((odd.status, &odd.body[0]["message"]), (StatusCode::BAD_REQUEST, &json!("\"no\"")));
    }
}
