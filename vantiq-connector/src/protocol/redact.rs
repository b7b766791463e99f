//! Makes text of unknown origin fit for a log: cut, and without the values that may be secret.

/// What a log shows of a message at most, in characters.
const EXCERPT_CHARS: usize = 120;

/// Texts that the protocol itself uses; all other quoted texts are hidden.
const PROTOCOL_WORDS: [&str; 17] = [
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
];

/// The beginning of a frame that could not be decoded, with every quoted text hidden that is no word of
/// the protocol, and every number of more than three digits: it may be half a configuration document.
pub(crate) fn excerpt(frame: &[u8]) -> String {
    let text = String::from_utf8_lossy(&frame[..frame.len().min(16 * EXCERPT_CHARS)]);
    let mut shown = String::new();
    let mut rest = text.as_ref();
    while let Some(first) = rest.chars().next() {
        if shown.chars().count() >= EXCERPT_CHARS {
            shown.push('…');
            break;
        }
        let taken = match first {
            '"' => quoted(rest, &mut shown),
            '0'..='9' => number(rest, &mut shown),
            _ => {
                shown.push(if first.is_control() { ' ' } else { first });
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    shown
}

/// Shows or hides the quoted text that `rest` starts with; returns its length.
fn quoted(rest: &str, shown: &mut String) -> usize {
    let mut escaped = false;
    let end = rest[1..].find(|next: char| {
        let closes = next == '"' && !escaped;
        escaped = next == '\\' && !escaped;
        closes
    });
    let (word, taken) = end.map_or((&rest[1..], rest.len()), |end| (&rest[1..=end], end + 2));
    shown.push('"');
    shown.push_str(if PROTOCOL_WORDS.contains(&word) { word } else { "…" });
    shown.push('"');
    taken
}

/// Shows or hides the number that `rest` starts with; returns its length.
fn number(rest: &str, shown: &mut String) -> usize {
    let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
    shown.push_str(if end > 3 { "…" } else { &rest[..end] });
    end
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
        assert_eq!(excerpt(br#"{"status":200,"body":"half \" a token"#), r#"{"status":200,"body":"…""#);
        assert_eq!(excerpt(b"<html>\nhello"), "<html> hello");
        assert_eq!(excerpt(&[0xff, b'a']), "\u{fffd}a");
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
