//! [`ExpectedAnswer`]: what a query has to be answered with. No I/O.

use std::fmt;

use serde_json::Value;

use super::step::Test;
use crate::excerpt::{excerpt, shortened};
use crate::query::QueryReply;

/// What a query has to be answered with; its `Display` is the end of "expected ...".
#[derive(Debug, Clone)]
pub(super) enum ExpectedAnswer {
    Rows(Vec<Value>),
    Error(String),
    Where(String, Test<QueryReply>),
}

impl ExpectedAnswer {
    pub(super) fn is(&self, reply: &QueryReply) -> bool {
        match self {
            Self::Rows(rows) => !reply.is_error() && reply.rows() == *rows,
            Self::Error(code) => reply.error().is_some_and(|error| error.message_code == *code),
            Self::Where(_, test) => test.says_yes(reply),
        }
    }
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write_rows(f, rows),
            Self::Error(code) => write!(f, "the error `{code}`"),
            Self::Where(words, _) => f.write_str(words),
        }
    }
}

/// What came, as the end of "but came ...".
pub(super) struct Came<'a>(pub(super) &'a QueryReply);

impl fmt::Display for Came<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(reply) = self;
        match reply.error() {
            Some(error) => {
                let (code, message) = (&error.message_code, shortened(error.message()));
                write!(f, "the error `{code}` with status {}: {message}", reply.status)
            }
            None if reply.is_error() => write!(f, "status {} with {}", reply.status, excerpt(&reply.body)),
            None => write_rows(f, &reply.rows()),
        }
    }
}

fn write_rows(f: &mut fmt::Formatter<'_>, rows: &[Value]) -> fmt::Result {
    let shown = shortened(rows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    match rows.len() {
        0 => f.write_str("no rows"),
        1 => write!(f, "the row {shown}"),
        number => write!(f, "{number} rows, {shown}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: Value) -> QueryReply {
        QueryReply { partials: vec![json!([1])], status, body }
    }

    fn failure() -> QueryReply {
        reply(400, json!({"messageCode": "c.d", "messageTemplate": "bad {0}", "parameters": ["x"]}))
    }

    #[test]
    fn rows_are_those_of_all_messages_and_no_error() {
        let expected = ExpectedAnswer::Rows(vec![json!(1), json!(2)]);
        assert!(expected.is(&reply(200, json!([2]))));
        assert!(!expected.is(&reply(200, json!([3]))) && !expected.is(&reply(204, Value::Null)));
        assert!(!ExpectedAnswer::Rows(vec![json!(1)]).is(&failure()), "the row came, and then an error");
    }

    #[test]
    fn an_error_is_told_by_its_code() {
        assert!(ExpectedAnswer::Error("c.d".into()).is(&failure()));
        assert!(!ExpectedAnswer::Error("c".into()).is(&failure()));
        assert!(!ExpectedAnswer::Error("c.d".into()).is(&reply(200, json!(2))));
    }

    #[test]
    fn expectations_and_answers_are_told_in_words() {
        for (expected, words) in [
            (ExpectedAnswer::Rows(vec![]), "no rows"),
            (ExpectedAnswer::Rows(vec![json!({"a": 1})]), r#"the row {"a":1}"#),
            (ExpectedAnswer::Rows(vec![json!(1), json!("b")]), r#"2 rows, 1, "b""#),
            (ExpectedAnswer::Error("c.d".into()), "the error `c.d`"),
        ] {
            assert_eq!(expected.to_string(), words);
        }
        assert_eq!(Came(&failure()).to_string(), "the error `c.d` with status 400: bad x");
        assert_eq!(Came(&reply(500, json!("?"))).to_string(), r#"status 500 with "?""#);
        assert_eq!(Came(&reply(204, Value::Null)).to_string(), "the row 1");
    }
}
