//! Answering a query: [`Rows`] takes what is to be streamed, [`Answer`] is the one terminal answer, and
//! [`QueryError`] the one that says why there is none.

mod answer;
mod bundle;
mod error;
mod reply;
mod rows;

pub use answer::Answer;
pub use error::QueryError;
pub(crate) use reply::{Debtor, Owed, Replies, Reply, ReplyTo};
pub(crate) use rows::{Last, Streaming};
pub use rows::{Rows, RowsError};
