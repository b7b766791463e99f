//! [`Answer`]: the one terminal answer of a query.

use serde::Serialize;

use crate::{Result, protocol::Payload};

/// The terminal answer of a query. A handler returns exactly one, so answering twice or never cannot be
/// written.
///
/// Rows that were sent before, through [`Rows`](crate::Rows), come first in every case: the caller sees
/// one list, of all partial rows and then those of the answer.
#[derive(Debug)]
pub struct Answer(pub(super) Kind);

#[derive(Debug)]
pub(super) enum Kind {
    Row(Payload),
    Rows(Vec<Payload>),
    Done,
    Empty,
}

impl Answer {
    /// One row: status 200 with the row as it is. The caller of a query without partial rows gets it
    /// unwrapped, as an object and not as a list of one.
    ///
    /// # Errors
    /// If `row` has no JSON form.
    pub fn row<T: Serialize + ?Sized>(row: &T) -> Result<Self> {
        Ok(Self(Kind::Row(Payload::from_value(row)?)))
    }

    /// A list of rows: status 200 with an array, which may be empty. Where they are more than one message
    /// holds, the first go out as partial answers.
    ///
    /// # Errors
    /// If one of the rows has no JSON form.
    pub fn rows<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<Self> {
        let rows: serde_json::Result<_> = rows.into_iter().map(|row| Payload::from_value(&row)).collect();
        Ok(Self(Kind::Rows(rows?)))
    }

    /// The end of what was sent through [`Rows`](crate::Rows): status 200 with the rows that are still
    /// buffered, or 204 where there are none.
    pub const fn done() -> Self {
        Self(Kind::Done)
    }

    /// No row at all, or no further one: status 204.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }
}
