//! [`excerpt`]: as much of a JSON value as fits into a sentence.

use serde_json::Value;

/// Longest excerpt, in bytes of text.
const LONGEST: usize = 200;

/// The value as text, cut off where it is long.
pub(crate) fn excerpt(value: &Value) -> String {
    shortened(value.to_string())
}

/// The text, cut off where it is long.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_long_is_cut_off_between_characters() {
        assert_eq!(excerpt(&json!({"a": 1})), r#"{"a":1}"#);
        let text = shortened("ü".repeat(LONGEST));
        assert_eq!(text, "ü".repeat(LONGEST / 2) + "…");
        assert!(shortened("x".repeat(LONGEST + 1)).ends_with("x…"));
    }
}
