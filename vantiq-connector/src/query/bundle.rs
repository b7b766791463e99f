//! [`Bundle`]: gathers rows into messages by count and size. Pure.

use super::answer::{Answer, Kind};
use crate::protocol::{Body, JsonArray, Payload, Status};

/// How large one message of rows may become.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) rows: usize,
    /// Bytes of the body, that is without the envelope.
    pub(crate) bytes: usize,
}

/// Rows that were not sent yet.
#[derive(Debug)]
pub(super) struct Bundle {
    limits: Limits,
    rows: JsonArray,
}

/// The body of one message.
#[derive(Debug)]
pub(super) enum Content {
    Nothing,
    Row(Payload),
    Rows(JsonArray),
}

/// The last messages of a query: some partial ones, perhaps, and then the terminal one.
#[derive(Debug)]
pub(super) struct Finish {
    pub(super) partials: Vec<Content>,
    pub(super) terminal: (Status, Content),
}

/// A row that does not even fit by itself; its length as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RowTooLarge(pub(super) usize);

impl Content {
    pub(super) fn body(&self) -> Option<Body<'_>> {
        match self {
            Self::Nothing => None,
            Self::Row(row) => Some(Body::Row(row)),
            Self::Rows(rows) => Some(Body::Rows(rows)),
        }
    }
}

impl Bundle {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, rows: JsonArray::new() }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether a row of `size` bytes can join; if not, the bundle is to be sent first.
    pub(super) fn has_room(&self, size: usize) -> Result<bool, RowTooLarge> {
        if JsonArray::new().bytes_with(size) > self.limits.bytes {
            return Err(RowTooLarge(size));
        }
        Ok(self.is_empty() || (!self.is_full() && self.rows.bytes_with(size) <= self.limits.bytes))
    }

    /// Adds a row for which there is [room](Self::has_room).
    pub(super) fn push(&mut self, row: &[u8]) {
        self.rows.push_text(row);
    }

    /// Whether the bundle has as many rows as a message may have.
    pub(super) const fn is_full(&self) -> bool {
        self.rows.len() >= self.limits.rows
    }

    /// What is in the bundle, which is empty afterwards.
    pub(super) fn take(&mut self) -> Option<Content> {
        let rows = std::mem::take(&mut self.rows);
        (!rows.is_empty()).then_some(Content::Rows(rows))
    }

    /// The last messages of a query.
    pub(super) fn finish(&mut self, answer: Answer) -> Result<Finish, RowTooLarge> {
        let mut partials = Vec::new();
        let terminal = match answer.0 {
            Kind::Row(row) => {
                self.has_room(row.len())?;
                partials.extend(self.take());
                (Status::OK, Content::Row(row))
            }
            Kind::Rows(rows) => {
                for row in rows {
                    if !self.has_room(row.len())? {
                        partials.extend(self.take());
                    }
                    self.push(row.as_bytes());
                }
                (Status::OK, self.take().unwrap_or(Content::Rows(JsonArray::new())))
            }
            Kind::Done => match self.take() {
                Some(rows) => (Status::OK, rows),
                None => (Status::EMPTY, Content::Nothing),
            },
            Kind::Empty => {
                partials.extend(self.take());
                (Status::EMPTY, Content::Nothing)
            }
        };
        Ok(Finish { partials, terminal })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json, value::RawValue};

    use super::*;
    use crate::protocol::Outbound;

    const LIMITS: Limits = Limits { rows: 3, bytes: 20 };

    fn bundle(rows: &[Value]) -> Bundle {
        let mut bundle = Bundle::new(LIMITS);
        for row in rows {
            bundle.push(row.to_string().as_bytes());
        }
        bundle
    }

    /// The body, as it is sent.
    fn text(content: &Content) -> Option<String> {
        let answer =
            Outbound::Answer { status: Status::OK, reply_address: &"".into(), body: Some(content.body()?) };
        let message: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(&answer.encode()).unwrap();
        Some(message["body"].get().to_owned())
    }

    fn finish(bundle: &mut Bundle, answer: Answer) -> Vec<(u16, String)> {
        let Finish { partials, terminal } = bundle.finish(answer).unwrap();
        let partials = partials.into_iter().map(|content| (Status::PARTIAL, content));
        let messages = partials.chain([terminal]);
        messages.map(|(status, content)| (status.0, text(&content).unwrap_or_default())).collect()
    }

    fn messages(expected: &[(u16, &str)]) -> Vec<(u16, String)> {
        expected.iter().map(|(status, body)| (*status, (*body).to_owned())).collect()
    }

    #[test]
    fn every_answer_with_and_without_buffered_rows() {
        let row = || Answer::row(&json!({"a": 1})).unwrap();
        let rows = |count: u8| Answer::rows(0..count).unwrap();
        for (buffered, answer, expected) in [
            (vec![], row(), vec![(200, r#"{"a":1}"#)]),
            (vec![json!(7)], row(), vec![(100, "[7]"), (200, r#"{"a":1}"#)]),
            (vec![], rows(0), vec![(200, "[]")]),
            (vec![], rows(2), vec![(200, "[0,1]")]),
            (vec![json!(7)], rows(4), vec![(100, "[7,0,1]"), (200, "[2,3]")]),
            (vec![], Answer::done(), vec![(204, "")]),
            (vec![json!(7)], Answer::done(), vec![(200, "[7]")]),
            (vec![], Answer::empty(), vec![(204, "")]),
            (vec![json!(7)], Answer::empty(), vec![(100, "[7]"), (204, "")]),
        ] {
            assert_eq!(finish(&mut bundle(&buffered), answer), messages(&expected), "{buffered:?}");
        }
    }

    #[test]
    fn a_row_that_fits_no_message_is_refused() {
        let row = Payload::from_value(&"x".repeat(18)).unwrap();
        assert_eq!(bundle(&[]).has_room(20), Err(RowTooLarge(20)));
        assert_eq!(bundle(&[]).finish(Answer(Kind::Row(row))).unwrap_err(), RowTooLarge(20));
    }

    proptest! {
        #[test]
        fn no_message_exceeds_a_limit_and_no_row_is_lost(texts in prop::collection::vec("[a-z]{0,14}", 0..40)) {
            let mut bundle = Bundle::new(LIMITS);
            let mut sent = Vec::new();
            for text in &texts {
                let row = Payload::from_value(text).unwrap();
                if !bundle.has_room(row.len()).unwrap() {
                    sent.extend(bundle.take());
                }
                bundle.push(row.as_bytes());
            }
            let Finish { partials, terminal } = bundle.finish(Answer::done()).unwrap();
            sent.extend(partials.into_iter().chain([terminal.1]));
            let mut rows: Vec<String> = Vec::new();
            for content in &sent {
                let json = text(content).unwrap_or("[]".to_owned());
                prop_assert!(json.len() <= LIMITS.bytes, "{}", json);
                let part: Vec<String> = serde_json::from_str(&json).unwrap();
                prop_assert!(part.len() <= LIMITS.rows);
                rows.extend(part);
            }
            prop_assert_eq!(rows, texts);
        }
    }
}
