//! What a test asks of the loaded connector, which is a process of its own.

use serde::{Deserialize, Serialize};

/// A publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Notify `{"queued": number}` so many times, with so many bytes beside it. Then wait until so many queries
    /// are being answered, print `loaded`, and wait until the session ends.
    Load {
        /// How many events.
        events: u64,
        /// Bytes beside the number.
        bytes: usize,
        /// How many queries.
        queries: usize,
    },
    /// Notify `{"published": number}`.
    Notify(u64),
    /// Never end.
    Hang,
}

/// A query. It waits until the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Answer with the numbers from 0 to below this, and then `"done"`.
    Rows(u64),
    /// Never end.
    Hang,
}
