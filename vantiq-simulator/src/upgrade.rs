//! The WebSocket upgrade, done by hand to keep the TCP connection in reach (PROTOCOL section 1).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::debug;

use crate::http::Door;
use crate::link::Link;
use crate::socket::Socket;

/// What happens to a connector that dials.
///
/// Set with [`Simulator::on_upgrade`](crate::Simulator::on_upgrade).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UpgradeReply {
    /// The WebSocket opens.
    #[default]
    Accept,
    /// A plain HTTP answer with this status, as a proxy or a wrong host would give.
    Status(u16),
    /// The TCP connection stays open without an answer.
    NoAnswer,
}

/// Whether a request asks for a WebSocket.
pub(crate) fn is_asked_for(headers: &HeaderMap) -> bool {
    names(headers, &UPGRADE, "websocket")
}

/// Answers a request for a WebSocket and, when it is accepted, opens the link.
pub(crate) async fn answer(door: &Arc<Door>, request: Request) -> Response<Body> {
    match door.shared.change(|world| world.on_upgrade.take()) {
        UpgradeReply::Accept => accept(door, request),
        UpgradeReply::Status(status) => {
            plain(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY))
        }
        UpgradeReply::NoAnswer => std::future::pending().await,
    }
}

fn accept(door: &Arc<Door>, mut request: Request) -> Response<Body> {
    let headers = request.headers();
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|_| is_well_formed(headers)) else {
        return plain(StatusCode::BAD_REQUEST);
    };
    let accept_key = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    door.tasks.spawn(serve(Arc::clone(door), upgrade));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept_key)
        .body(Body::empty())
        .expect("constant headers and a base64 key make a response")
}

async fn serve(door: Arc<Door>, upgrade: OnUpgrade) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return debug!(%error, "the connector left during the upgrade"),
    };
    let Parts { io, read_buf, .. } =
        upgraded.downcast::<TokioIo<TcpStream>>().expect("the server serves plain TCP connections only");
    let socket = Socket::new(io.into_inner(), read_buf.to_vec(), door.shared.settings.frames).await;
    Link::open(Arc::clone(&door.shared), socket).run(door.shutdown.clone()).await;
}

fn is_well_formed(headers: &HeaderMap) -> bool {
    names(headers, &CONNECTION, "upgrade") && names(headers, &SEC_WEBSOCKET_VERSION, "13")
}

/// Whether a comma list in this header has the word.
fn names(headers: &HeaderMap, header: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(header).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
