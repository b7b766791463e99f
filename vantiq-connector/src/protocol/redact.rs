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

/// The beginning of a frame that could not be decoded: its punctuation, the words of the protocol, and
/// numbers of up to three digits. The rest is hidden, for it may be any part of a configuration document.
pub(crate) fn excerpt(frame: &[u8]) -> String {
    let text = String::from_utf8_lossy(&frame[..frame.len().min(16 * EXCERPT_CHARS)]);
    let mut shown = String::new();
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
            word if end == 0 || PROTOCOL_WORDS.contains(&word) || is_short_number(word) => word,
            _ => "…",
        });
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

/// A deserialisation message without the value that it quotes: `invalid type: string "x", expected u16`
/// becomes `invalid type: string, expected u16`. Names of fields stay, they are the program's own.
pub(super) fn values_of(message: &str) -> String {
    if message.starts_with("missing field") || message.starts_with("unknown field") {
        return message.to_owned();
    }
    // The last one, for the value may have the same words in it.
    let (found, expected) = message.rsplit_once(", expected ").unwrap_or((message, ""));
    let shown = found.split(['"', '`']).next().unwrap_or_default().trim_end();
    if expected.is_empty() { shown.to_owned() } else { format!("{shown}, expected {expected}") }
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
        assert_eq!(excerpt(br#"{"status":200,"body":"half \" a token"#), r#"{"status":200,"body":"… \" … …"#);
        assert_eq!(excerpt(br#"sword":"hunter2","limit":1"#), r#"…":"…","…":1"#);
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
            ("no such unit: \"x\"", "no such unit:"),
        ] {
            assert_eq!(values_of(message), shown);
        }
    }
}
