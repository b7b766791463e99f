//! Hostile frames on a link.

use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Message;

use crate::{Peer, within};

/// Frames between two looks at what the connector answers.
const BATCH: usize = 250;

/// Sends these frames to a connector, and sees now and then that it still answers.
///
/// # Panics
/// If it does not.
pub async fn send_hostile<S>(peer: &mut Peer<S>, frames: impl Iterator<Item = Vec<u8>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut frames = frames.peekable();
    for batch in 0_u64.. {
        if frames.peek().is_none() {
            return;
        }
        for frame in frames.by_ref().take(BATCH) {
            // Text where it is UTF-8, now and then: anything else would break the WebSocket protocol.
            let frame = match String::from_utf8(frame) {
                Ok(text) if text.len() % 2 == 0 => Message::text(text),
                Ok(text) => Message::binary(text.into_bytes()),
                Err(no_text) => Message::binary(no_text.into_bytes()),
            };
            peer.send_frame(frame).await;
        }
        // An error of a source that is attached again is repeated only later: configure it at once.
        peer.configure(json!({})).await;
        still_answers(peer, &format!("alive after batch {batch}")).await;
    }
}

/// Asks a query and reads on until it is answered. What was asked for by hostile frames may come before.
///
/// # Panics
/// If the answer is not the query.
pub async fn still_answers<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>, query: &str) {
    peer.query(query).await;
    let address = json!(query).to_string();
    let answer = async {
        loop {
            let message = peer.receive().await;
            if message["headers"]["X-Reply-Address"] == address {
                return message;
            }
            // A hostile `reconnectRequired` is answered as any other.
            if message["op"] == "connectExtension" {
                peer.configure(json!({})).await;
            }
        }
    };
    let answer = within(answer).await;
    assert_eq!((&answer["status"], &answer["body"]), (&json!(200), &json!(query)));
}
