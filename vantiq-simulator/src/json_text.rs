//! [`json_text`]: JSON that a person typed, and what is probably meant where it is none.

use std::fmt;

use serde_json::Value;

/// The value that a text stands for.
///
/// # Errors
///
/// [`NotJson`], which says where the mistake is and of which kind.
pub fn json_text(text: &str) -> Result<Value, NotJson> {
    serde_json::from_str(text).map_err(|error| NotJson { slip: Slip::of(text, &error), error })
}

/// A text that is not JSON. Its `Display` has line and column.
#[derive(Debug)]
pub struct NotJson {
    error: serde_json::Error,
    /// The likely mistake, where there is one.
    pub slip: Option<Slip>,
}

/// Mistakes that people make; what helps depends on where they typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// There is no text at all.
    Missing,
    /// The text ends too early.
    Unfinished,
    /// As VAIL and Python have them: keys and texts without quotes, or in single ones.
    Unquoted,
}

impl Slip {
    fn of(text: &str, error: &serde_json::Error) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(Self::Missing);
        }
        if error.is_eof() {
            return Some(Self::Unfinished);
        }
        let line = error.line().checked_sub(1).and_then(|number| text.lines().nth(number))?;
        let found = error.column().checked_sub(1).and_then(|at| line.as_bytes().get(at))?;
        (found.is_ascii_alphabetic() || *found == b'\'').then_some(Self::Unquoted)
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slip {
            Some(Slip::Missing) => f.write_str("the JSON is missing"),
            _ => write!(f, "not JSON: {}", self.error),
        }
    }
}

impl std::error::Error for NotJson {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_apart() {
        for (text, slip) in [
            ("", Some(Slip::Missing)),
            (" \n", Some(Slip::Missing)),
            ("{", Some(Slip::Unfinished)),
            ("{target: 23}", Some(Slip::Unquoted)),
            ("{'target': 23}", Some(Slip::Unquoted)),
            ("{\n  \"a\": 1,\n  'b': 2\n}", Some(Slip::Unquoted)),
            (r#"{"target": warm}"#, Some(Slip::Unquoted)),
            ("[1 2]", None),
            ("1 2", None),
        ] {
            assert_eq!(json_text(text).expect_err("it is wrong").slip, slip, "{text}");
        }
    }

    #[test]
    fn the_mistake_has_a_place() {
        let error = json_text("{\n  'b': 2\n}").expect_err("it is wrong").to_string();
        assert_eq!(error, "not JSON: key must be a string at line 2 column 3");
    }
}
