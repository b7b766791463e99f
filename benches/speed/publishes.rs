//! Publishes, as many as the client takes; and the mark at their end, which it answers when it has handled them all.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use vantiq_connector_tests::{
    dialogue::{ACKNOWLEDGEMENT, publish},
    frame::{BINARY, lay},
};

use crate::{
    peer::Peer,
    trial::{Figure, Span, Trial, Window},
    workload::{Done, padding},
};

/// How much is written at once.
const BLOCK: usize = 64 * 1024;

/// Publishes whose `object` has so many bytes.
pub(crate) fn received(trial: &Trial, bytes: usize, [warm_up, length]: [Span; 2]) -> Result<Figure> {
    let mut peer = Peer::attach(trial, 0)?;
    let (block, in_block) = block(BLOCK, bytes);
    let blast = |peer: &mut Peer, span: Span| -> Result<_> {
        let (window, mut published) = (Window::begin(&peer.process), 0);
        while !span.is_over(window.elapsed(), published) {
            peer.stream.write_all(&block)?;
            published += in_block;
        }
        report(peer, "Report", published)?;
        Ok(window.end(published))
    };
    blast(&mut peer, warm_up)?;
    blast(&mut peer, length)
}

/// Frames of about `size` bytes, and their number.
pub(crate) fn block(size: usize, bytes: usize) -> (Vec<u8>, u64) {
    let (mut block, mut frames) = (Vec::new(), 0);
    while block.len() < size {
        lay(&mut block, BINARY, publish(&event(1_000_000 + frames, bytes, "")).as_bytes());
        frames += 1;
    }
    (block, frames)
}

fn event(sequence: u64, bytes: usize, more: &str) -> String {
    let text = padding(bytes);
    format!(r#"{{"sequence":{sequence},"celsius":21.5,"text":"{text}"{more}}}"#)
}

/// A publish that has the client do something.
pub(crate) fn command(then: &str) -> Vec<u8> {
    numbered(0, then)
}

/// The same with a number.
pub(crate) fn numbered(sequence: u64, then: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    lay(&mut frame, BINARY, publish(&event(sequence, 100, &format!(r#","then":"{then}""#))).as_bytes());
    frame
}

/// Has the client report how many publishes it handled, which is to be `published` and this one.
fn report(peer: &mut Peer, then: &str, published: u64) -> Result<()> {
    peer.outbox.extend(command(then));
    peer.send()?;
    let done = loop {
        peer.receive()?;
        if let Some(message) = peer.message()? {
            break done(message)?;
        }
    };
    ensure!(done == published + 1, "{published} publishes and a mark were sent, {done} handled");
    lay(&mut peer.outbox, BINARY, ACKNOWLEDGEMENT);
    peer.send()
}

/// The count in the last notification of a trial.
pub(crate) fn done(message: &[u8]) -> Result<u64> {
    #[derive(Deserialize)]
    struct Notification {
        object: Done,
    }
    let notification: Notification =
        serde_json::from_slice(message).with_context(|| String::from_utf8_lossy(message).into_owned())?;
    Ok(notification.object.done)
}
