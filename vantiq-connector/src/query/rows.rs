//! [`Rows`]: takes the rows of a query and streams them to the caller.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use serde::Serialize;
use tokio::{
    sync::{
        Notify,
        mpsc::{Permit, error::TrySendError},
    },
    time::Instant,
};

use super::{
    Answer, Owed, QueryError, Replies, Reply, ReplyTo,
    bundle::{Bundle, Content, Finish, RowTooLarge},
};
use crate::protocol::Status;

/// Takes the rows of one query and streams them to the caller while the handler goes on.
///
/// Rows are bundled into messages: one goes out when it has 500 rows, or as many as fit into
/// `maxMessageBytes`, or when its first row has waited 100 ms, whichever comes first;
/// [`bundle`](crate::ConnectorSetBuilder::bundle) sets both. When the link cannot take more, [`send`](Self::send) waits.
///
/// # Recovery
/// When the link is lost the caller is gone, too: `send` says [`RowsError::Closed`], and returning that
/// error ends the query.
#[derive(Debug)]
pub struct Rows {
    streaming: Arc<Streaming>,
    /// The text of a row, until there is room for it.
    row: Vec<u8>,
}

/// Why a row was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The link over which the query came is gone, and the caller with it.
    #[error("the caller of the query is gone, for the link was lost")]
    Closed,
    /// One row by itself is larger than a message may be. Rows before it were accepted.
    #[error("a row of {size} bytes does not fit into a message of `maxMessageBytes` ({max})")]
    TooLarge {
        /// Size of the row as JSON, in bytes.
        size: usize,
        /// The limit, `maxMessageBytes` in `server.config`.
        max: usize,
    },
    /// The row has no JSON form, for example a map whose keys are no texts.
    #[error("the row cannot be written as JSON")]
    Serialize(#[source] serde_json::Error),
}

/// How long to wait, beside `linger`, before a full link is tried again.
const RETRY: Duration = Duration::from_millis(10);

impl Rows {
    pub(crate) const fn new(streaming: Arc<Streaming>) -> Self {
        Self { streaming, row: Vec::new() }
    }

    /// Takes one row; waits where the link cannot take more.
    ///
    /// # Errors
    /// [`RowsError`]; what was accepted before stays accepted.
    ///
    /// # Cancel safety
    /// Cancel safe in that no row is torn or doubled; whether the row was accepted is not known.
    pub async fn send<T: Serialize + ?Sized>(&mut self, row: &T) -> Result<(), RowsError> {
        self.row.clear();
        serde_json::to_writer(&mut self.row, row).map_err(RowsError::Serialize)?;
        // Rows wait in the bundle only, never in this future: a cancelled call loses none.
        let mut taken = self.streaming.take(&self.row)?;
        if taken == Taken::Not {
            self.streaming.flush().await?;
            taken = self.streaming.take(&self.row)?;
        }
        if taken == Taken::Last {
            self.streaming.flush().await?;
        }
        Ok(())
    }

    /// Takes each row of `rows`.
    ///
    /// # Errors
    /// As [`send`](Self::send), at the first row that fails.
    pub async fn send_all<T: Serialize>(
        &mut self,
        rows: impl IntoIterator<Item = T, IntoIter: Send>,
    ) -> Result<(), RowsError> {
        for row in rows {
            self.send(&row).await?;
        }
        Ok(())
    }

    /// Takes the rows of a stream until it ends or fails.
    ///
    /// # Errors
    /// The stream's own error, or a [`RowsError`].
    pub async fn forward<T, E, S>(&mut self, stream: S) -> crate::Result<()>
    where
        T: Serialize,
        E: Into<anyhow::Error>,
        S: Stream<Item = Result<T, E>>,
    {
        let mut stream = std::pin::pin!(stream);
        while let Some(row) = stream.next().await {
            self.send(&row.map_err(Into::into)?).await?;
        }
        Ok(())
    }

    /// Sends what is bundled without waiting for more. Restarts the caller's time-out.
    ///
    /// # Errors
    /// [`RowsError::Closed`].
    ///
    /// # Cancel safety
    /// Cancel safe: the rows stay bundled until they are sent.
    pub async fn flush(&mut self) -> Result<(), RowsError> {
        self.streaming.flush().await
    }
}

/// The state of one streamed query, shared by the handler's [`Rows`] and the call that drives the handler.
/// Both run in one task, so the lock is never contended.
#[derive(Debug)]
pub(crate) struct Streaming {
    reply_to: ReplyTo,
    replies: Replies,
    linger: Duration,
    state: Mutex<State>,
    /// Tells the call that a bundle was begun, which is due after `linger`.
    begun: Notify,
}

#[derive(Debug)]
struct State {
    bundle: Bundle,
    /// When the first row of the bundle came.
    begun_at: Option<Instant>,
    /// When data last went out.
    sent_at: Instant,
}

/// The last messages of a query.
#[derive(Debug)]
#[must_use = "the query is not answered before they are sent"]
pub(crate) struct Last {
    partials: Vec<Content>,
    terminal: Reply,
}

/// Whether a row was added to the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Yes,
    /// And there is no room for another one.
    Last,
    Not,
}

impl Streaming {
    pub(crate) fn new(
        reply_to: ReplyTo,
        replies: Replies,
        rows: usize,
        linger: Duration,
        now: Instant,
    ) -> Self {
        let bundle = Bundle::new(reply_to.limits(rows));
        let state = Mutex::new(State { bundle, begun_at: None, sent_at: now });
        Self { reply_to, replies, linger, state, begun: Notify::new() }
    }

    /// Waits until the link is gone over which the query came. Cancel safe.
    pub(crate) async fn closed(&self) {
        self.replies.closed().await;
    }

    /// Waits until a bundle was begun. Cancel safe: `Notify` keeps its permit.
    pub(crate) async fn begun(&self) {
        self.begun.notified().await;
    }

    /// When the bundle has waited long enough.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.lock().begun_at.map(|begun_at| begun_at + self.linger)
    }

    /// When data last went out.
    pub(crate) fn sent_at(&self) -> Instant {
        self.lock().sent_at
    }

    /// Sends the bundle if the link takes it now, or else looks again later.
    pub(crate) fn try_flush(&self, now: Instant) {
        match self.replies.try_reserve() {
            Ok(permit) => self.send_bundle(permit),
            // Not sooner than after a while, even without `linger`: the link is busy.
            Err(TrySendError::Full(())) => self.lock().begun_at = Some(now + RETRY),
            // The handler learns it from its next call.
            Err(TrySendError::Closed(())) => self.lock().begun_at = None,
        }
    }

    /// Takes the rows that were not sent yet, and the terminal answer, which is `owed`, or was lost already. Nothing
    /// can be sent but by [`send_last`](Self::send_last) then.
    pub(crate) fn conclude(&self, answer: Result<Answer, QueryError>, owed: Option<Owed>) -> Last {
        let messages = answer.and_then(|answer| {
            self.lock().bundle.finish(answer).map_err(|RowTooLarge(size)| {
                QueryError::new(
                    QueryError::TOO_LARGE,
                    "a row of {0} bytes is larger than the {1} that a message may have",
                )
                .parameter(size)
                .parameter(self.reply_to.max_message_bytes)
            })
        });
        match messages {
            Ok(Finish { partials, terminal: (status, content) }) => {
                let frame = self.reply_to.answer(status, &content);
                Last { partials, terminal: Reply { frame, owed } }
            }
            Err(error) => {
                Last { partials: Vec::new(), terminal: Reply { frame: self.reply_to.error(&error), owed } }
            }
        }
    }

    /// Sends what [`conclude`](Self::conclude) took.
    pub(crate) async fn send_last(&self, Last { partials, terminal }: Last) {
        for content in &partials {
            self.reply(self.reply_to.answer(Status::PARTIAL, content).into()).await;
        }
        self.reply(terminal).await;
    }

    /// A link that is gone has nobody to answer to.
    async fn reply(&self, reply: Reply) {
        // Mostly there is room. Who waits for some does so elsewhere, for the future of each answer is moved.
        if let Err(TrySendError::Full(reply)) = self.replies.try_send(reply) {
            let _ = Box::pin(self.replies.send(reply)).await;
        }
    }

    /// Adds a row to the bundle where that has room.
    fn take(&self, row: &[u8]) -> Result<Taken, RowsError> {
        if self.replies.is_closed() {
            return Err(RowsError::Closed);
        }
        let mut state = self.lock();
        let max = self.reply_to.max_message_bytes;
        let has_room = state.bundle.has_room(row.len());
        if !has_room.map_err(|RowTooLarge(size)| RowsError::TooLarge { size, max })? {
            return Ok(Taken::Not);
        }
        state.bundle.push(row);
        if state.begun_at.is_none() {
            state.begun_at = Some(Instant::now());
            self.begun.notify_one();
        }
        Ok(if state.bundle.is_full() { Taken::Last } else { Taken::Yes })
    }

    async fn flush(&self) -> Result<(), RowsError> {
        let permit = self.replies.reserve().await.map_err(|_| RowsError::Closed)?;
        self.send_bundle(permit);
        Ok(())
    }

    fn send_bundle(&self, permit: Permit<'_, Reply>) {
        let mut state = self.lock();
        state.begun_at = None;
        if let Some(content) = state.bundle.take() {
            state.sent_at = Instant::now();
            permit.send(self.reply_to.answer(Status::PARTIAL, &content).into());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of a handler runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
