//! [`Answers`]: what comes back for a query.

use serde::Deserialize;
use serde_json::Value;
use vantiq_simulator::QueryReply;

use super::error::ProgramError;
use super::remote::Lines;

/// What a line tells.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// A part; more is to come.
    Part(Value),
    /// The last message, which may have rows, too.
    End { status: u16, body: Value },
    /// There is no end to it: it took too long, or the connector went away.
    Broken { code: String, message: String },
}

/// What comes back for a query, message by message.
pub(super) struct Answers(pub(super) Lines);

impl Answers {
    /// The next message, also as it came. None is behind one that has a [status](Answer::status).
    pub(super) fn next(&mut self) -> Result<(Vec<u8>, TimedAnswer), ProgramError> {
        let line = self.0.next()?.ok_or_else(|| self.0.peer.gone())?;
        let timed = self.0.peer.read(&line)?;
        Ok((line, timed))
    }
}

/// An answer, and the milliseconds since the query was sent.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Line")]
pub(super) struct TimedAnswer {
    pub(super) answer: Answer,
    pub(super) ms: f64,
}

/// As it is told.
#[derive(Debug, Deserialize)]
struct Line {
    // An absent one is none, a null is one without data.
    #[serde(default, deserialize_with = "present")]
    partial: Option<Value>,
    status: Option<u16>,
    #[serde(default)]
    body: Value,
    error: Option<Trouble>,
    ms: f64,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    code: String,
    message: String,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl TryFrom<Line> for TimedAnswer {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Self, Self::Error> {
        let answer = match (line.partial, line.status, line.error) {
            (Some(body), None, None) => Answer::Part(body),
            (None, Some(status), None) => Answer::End { status, body: line.body },
            (None, None, Some(Trouble { code, message })) => Answer::Broken { code, message },
            _ => return Err("expected one of partial, status and error"),
        };
        Ok(Self { answer, ms: line.ms })
    }
}

impl Answer {
    /// The rows in it.
    pub(super) fn rows(&self) -> &[Value] {
        match self {
            Self::Part(body) => rows(100, body),
            Self::End { status, body } => rows(*status, body),
            Self::Broken { .. } => &[],
        }
    }

    /// The status at the end, also of an error; nothing if more is to come.
    ///
    /// # Errors
    ///
    /// [`Refused`](ProgramError::Refused) where there is no end to it.
    pub(super) fn status(&self) -> Result<Option<u16>, ProgramError> {
        match self {
            Self::Part(_) => Ok(None),
            Self::End { status, .. } => Ok(Some(*status)),
            Self::Broken { code, message } => {
                Err(ProgramError::Refused { code: code.clone(), message: message.clone() })
            }
        }
    }

    /// The status, unless it is an error.
    ///
    /// # Errors
    ///
    /// [`Refused`](ProgramError::Refused) with the words of the connector, or as [`status`](Self::status) has it.
    pub(super) fn good_status(&self) -> Result<Option<u16>, ProgramError> {
        match self {
            Self::End { status, body } if is_error(*status) => Err(refusal(*status, body)),
            _ => self.status(),
        }
    }
}

/// The rows of a message: a list is many, nothing is none, anything else is one. A 204 and an error have none.
pub(super) fn rows(status: u16, body: &Value) -> &[Value] {
    match body {
        _ if status == 204 || is_error(status) => &[],
        Value::Array(rows) => rows,
        Value::Null => &[],
        row => std::slice::from_ref(row),
    }
}

fn is_error(status: u16) -> bool {
    status >= 300
}

/// An answer that says no, with the words of the connector.
fn refusal(status: u16, body: &Value) -> ProgramError {
    let reply = QueryReply { partials: Vec::new(), status, body: body.clone() };
    let (code, message) = match reply.error() {
        Some(error) => (error.message_code.clone(), format!("{} ({})", error.message(), error.message_code)),
        None => (String::new(), reply.body.to_string()),
    };
    ProgramError::Refused { code, message: format!("the connector answers with status {status}: {message}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Option<Answer> {
        serde_json::from_str::<TimedAnswer>(text).ok().map(|timed| timed.answer)
    }

    #[test]
    fn each_line_is_a_part_or_an_end() {
        assert_eq!(read(r#"{"partial":[1],"ms":1.5}"#), Some(Answer::Part(json!([1]))));
        assert_eq!(read(r#"{"partial":null,"ms":1}"#), Some(Answer::Part(Value::Null)));
        assert_eq!(read(r#"{"status":204,"ms":1}"#), Some(Answer::End { status: 204, body: Value::Null }));
        let broken = Answer::Broken { code: "c".to_owned(), message: "m".to_owned() };
        assert_eq!(read(r#"{"error":{"code":"c","message":"m","params":[]},"ms":1}"#), Some(broken));
        assert_eq!(read(r#"{"ms":1}"#), None);
    }

    #[test]
    fn rows_are_what_an_application_sees() {
        assert_eq!(rows(100, &json!([1, [2]])), [json!(1), json!([2])]);
        assert_eq!(rows(200, &json!({"a": 1})), [json!({"a": 1})]);
        for (status, body) in [(200, Value::Null), (204, json!([1])), (400, json!([1]))] {
            assert!(rows(status, &body).is_empty(), "{status}: {body}");
        }
    }

    #[test]
    fn an_error_has_the_words_of_the_connector() {
        let body = json!([{"messageCode": "c", "messageTemplate": "no {0}", "parameters": ["unit"]}]);
        assert_eq!(refusal(400, &body).to_string(), "the connector answers with status 400: no unit (c)");
        assert_eq!(refusal(500, &json!("no")).to_string(), r#"the connector answers with status 500: "no""#);
    }
}
