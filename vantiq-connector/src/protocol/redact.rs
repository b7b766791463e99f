//! Makes text of unknown origin fit for a log: cut, and without the values that may be secret.

/// What a log shows of a message at most, in characters.
const EXCERPT_CHARS: usize = 120;

/// Words that the protocol itself uses; all others are hidden.
const PROTOCOL_WORDS: [&str; 20] = [
    "op",
    "status",
    "body",
    "object",
    "config",
    "headers",
    "messageHeaders",
    "resourceName",
    "resourceId",
    "sources",
    "validate",
    "connectExtension",
    "configureExtension",
    "reconnectRequired",
    "publish",
    "query",
    "notification",
    "true",
    "false",
    "null",
];

/// The beginning of a frame that could not be decoded: its punctuation, the words of the protocol, and a
/// status. The rest is hidden, for it may be any part of a configuration document.
pub(crate) fn excerpt(frame: &[u8]) -> String {
    let text = String::from_utf8_lossy(&frame[..frame.len().min(16 * EXCERPT_CHARS)]);
    let mut shown = String::new();
    let mut is_status = false;
    let mut rest = text.as_ref();
    while let Some(first) = rest.chars().next() {
        if shown.chars().count() >= EXCERPT_CHARS {
            shown.push('…');
            break;
        }
        let end = rest.find(|next| !is_of_a_word(next)).unwrap_or(rest.len());
        let (word, others) = rest.split_at(if end == 0 { first.len_utf8() } else { end });
        shown.push_str(match word {
            _ if first.is_control() => " ",
            word if end == 0 || PROTOCOL_WORDS.contains(&word) => word,
            word if is_status && is_short_number(word) => word,
            _ => "…",
        });
        // Any other short number may be a part of a PIN.
        is_status = word == "status" || is_status && end == 0;
        rest = others;
    }
    shown
}

/// Generous, so that no secret is taken for two words.
fn is_of_a_word(next: char) -> bool {
    !next.is_ascii() || next.is_ascii_alphanumeric() || "_-.+/=@$%&*~^|'".contains(next)
}

fn is_short_number(word: &str) -> bool {
    word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// How the messages begin that serde and `serde_json` make themselves, so that it is known where the value is.
const KNOWN_MESSAGES: [&str; 10] = [
    "invalid type: ",
    "invalid value: ",
    "invalid length ",
    "unknown variant ",
    "unknown field ",
    "missing field ",
    "duplicate field ",
    "data did not match any variant of untagged enum ",
    "recursion limit exceeded",
    "number out of range",
];

/// What a log shows of a deserialisation message at most, in characters.
const MESSAGE_CHARS: usize = 300;

/// A deserialisation message without the value that it quotes: `invalid type: string "x", expected u16`
/// becomes `invalid type: string, expected u16`. Names of fields stay. A message that a type makes itself may
/// have the value anywhere and is hidden.
pub(super) fn values_of(message: &str) -> String {
    if !KNOWN_MESSAGES.iter().any(|known| message.starts_with(known)) {
        return "a value that the connector does not accept".to_owned();
    }
    if message.starts_with("missing field") || message.starts_with("unknown field") {
        return cut(message, MESSAGE_CHARS);
    }
    // The last one, for the value may have the same words in it; after a value in backticks, which escape
    // nothing, there may be none.
    let (found, expected) = match message.rsplit_once(", expected ") {
        Some(parts) if !message.ends_with("there are no variants") => parts,
        _ => (message, ""),
    };
    let shown = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    cut(
        &if expected.is_empty() { shown.to_owned() } else { format!("{shown}, expected {expected}") },
        MESSAGE_CHARS,
    )
}

/// The first characters of `text`.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_hides_values_and_keeps_the_words_of_the_protocol() {
        assert_eq!(
            excerpt(br#"{"op":"configureExtension","object":{"config":{"password":"hunter2","pin":123456"#),
            r#"{"op":"configureExtension","object":{"config":{"…":"…","…":…"#
        );
        assert_eq!(excerpt(b"[123,45 6] \"status\": \"400\", 7"), "[…,… …] \"status\": \"400\", …");
        assert_eq!(excerpt(br#"{"status":200,"body":"half \" a token"#), r#"{"status":200,"body":"… \" … …"#);
        assert_eq!(excerpt(br#"sword":"hunter2","limit":1"#), r#"…":"…","…":…"#);
        assert_eq!(excerpt(b"<html>\nhello"), "<…> …");
        assert_eq!(excerpt(&[0xff, b'a']), "…");
    }

    #[test]
    fn an_excerpt_is_cut() {
        assert!(excerpt(&vec![b'x'; 1_000_000]).chars().count() <= EXCERPT_CHARS + 1);
    }

    #[test]
    fn values_leave_a_deserialisation_message() {
        for (message, shown) in [
            (r#"invalid type: string "a\", expected b", expected u16"#, "invalid type: string, expected u16"),
            ("invalid value: integer `70000`, expected u16", "invalid value: integer, expected u16"),
            ("unknown variant `x`y`, expected one of `a`, `b`", "unknown variant, expected one of `a`, `b`"),
            ("missing field `port`", "missing field `port`"),
            ("unknown variant `x, expected y`, there are no variants", "unknown variant"),
            ("x is no unit", "a value that the connector does not accept"),
            ("x, expected y", "a value that the connector does not accept"),
        ] {
            assert_eq!(values_of(message), shown);
        }
    }
}
