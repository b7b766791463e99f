//! [`Answers`]: the answers of one link's queries, on their way to that link.

use std::future::pending;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::query::{Replies, Reply};

/// Answers that wait for the link; a handler that streams faster waits for room.
const WAITING: usize = 128;

/// The way of answers to one link.
///
/// Its channel comes with the first query: most links never see one, and it takes a sixth of the memory of such a link.
#[derive(Default)]
pub(super) struct Answers {
    channel: Option<(Replies, mpsc::Receiver<Reply>)>,
}

impl Answers {
    /// The way for the answers of one more query.
    pub(super) fn way(&mut self) -> Replies {
        let (way, _) = self.channel.get_or_insert_with(|| mpsc::channel(WAITING));
        way.clone()
    }

    /// The next answer, once there is one.
    ///
    /// Cancel safe: it takes nothing before it is over.
    pub(super) async fn next(&mut self) -> Reply {
        let next = match &mut self.channel {
            // One end of the way is kept beside the other, so it is never closed.
            Some((_, answers)) => answers.recv().await,
            None => None,
        };
        match next {
            Some(reply) => reply,
            None => pending().await,
        }
    }

    /// Moves those that are there already into `taken`, at most `most` of them. Returns how many.
    pub(super) fn take(&mut self, most: usize, taken: &mut Vec<Reply>) -> usize {
        let Some((_, answers)) = &mut self.channel else { return 0 };
        let count = answers.len().min(most);
        // All at once, for each call gives their room back.
        answers.recv_many(taken, count).now_or_never().unwrap_or(0)
    }

    /// Whether none is there and no query that was given the way is still at work.
    pub(super) fn are_complete(&self) -> bool {
        self.channel
            .as_ref()
            .is_none_or(|(_, answers)| answers.is_empty() && answers.sender_strong_count() == 1)
    }
}
