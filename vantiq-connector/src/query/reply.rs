//! [`ReplyTo`]: where the answers to one query go, and in which form.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::{
    QueryError,
    bundle::{Content, Limits},
};
use crate::protocol::{Outbound, ReplyAddress, Status, answer_around};

/// The way of answers to the link their query came over. It ends with that link: reply addresses belong to
/// callers who are gone by the next (`docs/PROTOCOL.md`, section 9).
pub(crate) type Replies = mpsc::Sender<Reply>;

/// One message that answers a query, be it in part.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) frame: Bytes,
    /// Fulfilled by this message, where it is the terminal answer of a query that was taken.
    pub(crate) owed: Option<Owed>,
}

impl From<Bytes> for Reply {
    /// A message on which nothing depends.
    fn from(frame: Bytes) -> Self {
        Self { frame, owed: None }
    }
}

/// Wants to know which queries stay without their terminal answer.
pub(crate) trait Debtor: Send + Sync {
    /// The terminal answer of a query was lost on its way.
    fn unanswered(&self);
}

/// The terminal answer of a query that was taken. Dropped before it is [paid](Self::paid), it is lost.
pub(crate) struct Owed(Option<Arc<dyn Debtor>>);

impl Owed {
    pub(crate) const fn by(debtor: Arc<dyn Debtor>) -> Self {
        Self(Some(debtor))
    }

    /// The answer was handed to the network.
    pub(crate) fn paid(mut self) {
        self.0 = None;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if let Some(debtor) = &self.0 {
            debtor.unanswered();
        }
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Owed")
    }
}

/// Where the answers to one query go.
#[derive(Debug, Clone)]
pub(crate) struct ReplyTo {
    pub(crate) address: ReplyAddress,
    pub(crate) max_message_bytes: usize,
    pub(crate) errors_as_array: bool,
}

impl ReplyTo {
    /// The bounds for the body of one message: what `maxMessageBytes` leaves beside the envelope.
    pub(super) fn limits(&self, rows: usize) -> Limits {
        Limits { rows, bytes: self.max_message_bytes.saturating_sub(answer_around(&self.address)) }
    }

    pub(super) fn answer(&self, status: Status, content: &Content) -> Bytes {
        Outbound::Answer { status, reply_address: &self.address, body: content.body() }.encode()
    }

    /// The terminal answer that says why there is none. Always fits: where the text is too long, the code
    /// goes alone.
    pub(crate) fn error(&self, error: &QueryError) -> Bytes {
        let encode = |error: &QueryError| {
            let (reply_address, as_array) = (&self.address, self.errors_as_array);
            Outbound::Error { reply_address, error: error.body(), as_array }.encode()
        };
        let frame = encode(error);
        if frame.len() <= self.max_message_bytes {
            return frame;
        }
        let code: String = error.code().chars().take(100).collect();
        encode(&QueryError::new(code, "the text of the error is larger than a message may be"))
    }
}
