//! Answers to `validate` and `authenticate` (PROTOCOL section 3).

use serde_json::{Value, json};

use crate::envelope::{self, NAMESPACE};

/// Code of the refusal, known from the Python SDK's log line.
pub(crate) const AUTHENTICATION_FAILED: &str = "io.vantiq.authentication.failed";
/// Message of the refusal, from the same line.
pub(crate) const FAILURE_MESSAGE: &str = "Failed to authenticate supplied credentials.";

/// What a connector is told when it presents its credentials.
///
/// Set with [`Simulator::on_validate`](crate::Simulator::on_validate).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ValidateReply {
    /// The credentials are checked: status 200 with the full body for the right token, status 400
    /// with the error list for another one.
    #[default]
    Check,
    /// Silence; the API guide warns that the delivery of `validate` is not guaranteed.
    NoAnswer,
    /// Refused, whatever was presented.
    Refuse {
        /// Status, usually 400; 401, 500 and 503 occur too.
        status: u16,
        /// Shape of the body.
        body: FailureBody,
    },
}

impl ValidateReply {
    /// Refused as real servers do it: status 400 and a list of one error.
    pub fn refuse() -> Self {
        Self::refuse_with(400, FailureBody::List)
    }

    /// Refused with this status and shape of body.
    pub fn refuse_with(status: u16, body: FailureBody) -> Self {
        Self::Refuse { status, body }
    }
}

/// The shapes in which a failed authentication has been seen or must be expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureBody {
    /// `[{"code", "message", "params"}]`
    List,
    /// `{"code", "message", "params"}`
    Object,
    /// `{"error": "Authentication failed"}`
    Error,
    /// `"Authentication failed"`
    Text,
    /// `null`
    Null,
    /// No `body` at all.
    Missing,
}

impl FailureBody {
    /// The body, `None` when the member is to be left out.
    pub(crate) fn value(self) -> Option<Value> {
        match self {
            Self::List => Some(envelope::error_list(AUTHENTICATION_FAILED, FAILURE_MESSAGE)),
            Self::Object => Some(envelope::error_object(AUTHENTICATION_FAILED, FAILURE_MESSAGE)),
            Self::Error => Some(json!({ "error": "Authentication failed" })),
            Self::Text => Some(json!("Authentication failed")),
            Self::Null => Some(Value::Null),
            Self::Missing => None,
        }
    }
}

/// Body of a successful validation, with credentials that are worth nothing.
pub(crate) fn success_body() -> Value {
    json!({
        "anonymous": false,
        "userInfo": {
            "accessToken": "simulated-access-token",
            "idToken": "simulated.id.token",
            "username": format!("connector__{NAMESPACE}"),
            "preferredUsername": format!("connector__{NAMESPACE}"),
            "namespace": NAMESPACE,
            "homeNamespace": NAMESPACE,
            "createdBy": "simulator",
            "userType": "node",
            "profiles": [format!("{NAMESPACE}.admin")],
        },
    })
}
