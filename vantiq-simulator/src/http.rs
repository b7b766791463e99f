//! The routes of the simulator's one port: the WebSocket, the [REST side](crate::rest), and what is for people.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Response, StatusCode};
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::any;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::console;
use crate::control;
use crate::guard;
use crate::rest;
use crate::shared::Shared;
use crate::upgrade;

/// What a request handler needs to let a connector in.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) shared: Arc<Shared>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
}

/// All routes. Whatever is not one of them is answered with a plain 200, which is how a wrong path shows
/// on a real server: as a failed upgrade (PROTOCOL section 1).
pub(crate) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/api/{version}/wsock/websocket", any(web_socket))
        .merge(rest::routes())
        .merge(control::routes())
        .merge(console::routes())
        .fallback(elsewhere)
        .layer(middleware::from_fn_with_state(Arc::clone(&door), guard::admit))
        .with_state(door)
}

async fn web_socket(
    State(door): State<Arc<Door>>,
    Path(version): Path<String>,
    request: Request,
) -> Response<Body> {
    if !is_version(&version) {
        return elsewhere(State(door), request).await;
    }
    if !upgrade::is_asked_for(request.headers()) {
        // The words of SockJS, behind which the real path lives.
        return (StatusCode::BAD_REQUEST, "Can \"Upgrade\" only to \"WebSocket\".").into_response();
    }
    door.shared.change(|world| world.dials += 1);
    upgrade::answer(&door, request).await
}

pub(crate) async fn elsewhere(State(door): State<Arc<Door>>, request: Request) -> Response<Body> {
    if upgrade::is_asked_for(request.headers()) {
        door.shared.change(|world| world.dials += 1);
    }
    "This is a simulated Vantiq server.\n".into_response()
}

/// `v` and digits.
fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_is_v_and_digits() {
        assert!(is_version("v1") && is_version("v47"));
        assert!(!(is_version("v") || is_version("1") || is_version("v1a")));
    }
}
