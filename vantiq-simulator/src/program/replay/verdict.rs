//! [`Verdict`]: whether an answer is the one that was recorded.

use serde_json::Value;

use super::recording::Recorded;

/// Characters of a row that are shown.
const SHOWN: usize = 80;

/// What came of a query.
#[derive(Debug, PartialEq)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) rows: Vec<Value>,
    pub(super) ms: f64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Same,
    /// How they differ.
    Different(String),
    /// There is no whole answer in the recording.
    Incomparable,
}

impl Verdict {
    pub(super) fn of(given: &Given, recorded: &Recorded) -> Self {
        let Recorded::Answer { status, rows } = recorded else { return Self::Incomparable };
        if given.status != *status {
            return Self::Different(format!("status {} instead of {status}", given.status));
        }
        let differing = given.rows.iter().zip(rows).position(|(given, recorded)| given != recorded);
        match differing {
            Some(row) => Self::Different(format!(
                "row {} is {} instead of {}",
                row + 1,
                short(&given.rows[row]),
                short(&rows[row])
            )),
            None if given.rows.len() != rows.len() => {
                Self::Different(format!("{} rows instead of {}", given.rows.len(), rows.len()))
            }
            None => Self::Same,
        }
    }
}

/// A value in one line that is not too long.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(status: u16, rows: &Value, recorded: &Recorded) -> Verdict {
        let rows = rows.as_array().expect("rows are a list").clone();
        Verdict::of(&Given { status, rows, ms: 1.0 }, recorded)
    }

    fn recorded(rows: &Value) -> Recorded {
        Recorded::Answer { status: 200, rows: rows.as_array().expect("rows are a list").clone() }
    }

    #[test]
    fn status_and_rows_are_compared() {
        let two = json!([1, {"a": 2}]);
        assert_eq!(verdict(200, &two, &recorded(&two)), Verdict::Same);
        assert_eq!(verdict(200, &two, &Recorded::Incomplete), Verdict::Incomparable);
        for (status, rows, words) in [
            (204, &two, "status 204 instead of 200"),
            (200, &json!([1, {"a": 3}]), r#"row 2 is {"a":3} instead of {"a":2}"#),
            (200, &json!([1]), "1 rows instead of 2"),
        ] {
            assert_eq!(verdict(status, rows, &recorded(&two)), Verdict::Different(words.to_owned()));
        }
    }

    #[test]
    fn long_rows_are_shortened() {
        let text = short(&json!("ä".repeat(200)));
        assert!(text.ends_with("...") && text.chars().count() == SHOWN + 3, "{text}");
    }
}
