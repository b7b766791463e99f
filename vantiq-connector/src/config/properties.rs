//! The Java properties syntax, in UTF-8 (`docs/PROTOCOL.md`, section 12).
//!
//! As `java.util.Properties` reads it: `key=value`, `key: value` or `key value`; comments open with `#` or
//! `!`; a backslash at the end of a line continues it; `\t \n \r \f \uXXXX` and a backslash before any
//! other character are escapes. Entry point: [`parse`].

/// One `key=value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    /// The line it starts on, from 1.
    pub(super) line: usize,
    pub(super) key: String,
    /// As written: trailing blanks are kept.
    pub(super) value: String,
}

/// A mistake in the syntax. The only ones there are concern `\u`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`\\u` must be followed by four hexadecimal digits that form a character; for a backslash write `\\\\`"
)]
pub(super) struct SyntaxError {
    /// The line the property starts on, from 1.
    pub(super) line: usize,
}

/// Reads all properties of `text`, in order, duplicates included.
pub(super) fn parse(text: &str) -> Result<Vec<Property>, SyntaxError> {
    logical_lines(text.strip_prefix('\u{feff}').unwrap_or(text))
        .into_iter()
        .map(|(line, text)| {
            let (key, value) = split(&text);
            let unescape = |part| unescape(part).ok_or(SyntaxError { line });
            Ok(Property { line, key: unescape(key)?, value: unescape(value)? })
        })
        .collect()
}

/// Joins continued lines; drops blank lines and comments. A comment is never continued.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        let (line, mut logical) = match open.take() {
            Some(begun) => begun,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (index + 1, String::new()),
        };
        if ends_in_continuation(natural) {
            logical.push_str(&natural[..natural.len() - 1]);
            open = Some((line, logical));
        } else {
            logical.push_str(natural);
            lines.push((line, logical));
        }
    }
    lines.extend(open);
    lines
}

/// Lines end with `\n`, `\r` or `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// An odd number of backslashes at the end; an even number are escaped backslashes.
fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Cuts a line at its first unescaped separator: blanks, at most one `=` or `:`, blanks.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .find(|next: char| {
            let separates = !escaped && (is_blank(next) || next == '=' || next == ':');
            escaped = next == '\\' && !escaped;
            separates
        })
        .unwrap_or(line.len());
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    let mut units = Vec::new();
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        let escaped = if next == '\\' { rest.next() } else { None };
        if escaped == Some('u') {
            let digits =
                rest.as_str().get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            units.push(u16::from_str_radix(digits, 16).ok()?);
            rest = rest.as_str()[4..].chars();
            continue;
        }
        flush(&mut units, &mut plain)?;
        match escaped {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some(other) => plain.push(other),
            // A lone backslash at the very end of the file continues nothing.
            None if next == '\\' => {}
            None => plain.push(next),
        }
    }
    flush(&mut units, &mut plain)?;
    Some(plain)
}

/// Java writes a character beyond the basic plane as two `\u` in a row, so they are decoded together.
fn flush(units: &mut Vec<u16>, plain: &mut String) -> Option<()> {
    plain.push_str(&String::from_utf16(units).ok()?);
    units.clear();
    Some(())
}

const fn is_blank(next: char) -> bool {
    matches!(next, ' ' | '\t' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap().into_iter().map(|property| (property.key, property.value)).collect()
    }

    fn pair(text: &str) -> (String, String) {
        let [pair] = <[_; 1]>::try_from(pairs(text)).unwrap();
        pair
    }

    #[test]
    fn every_separator_is_read() {
        for text in ["k=v", "k:v", "k v", "k\tv", "  k = v", "k : v", "k   v", "k\u{c}=\u{c}v"] {
            assert_eq!(pair(text), ("k".into(), "v".into()), "{text:?}");
        }
    }

    #[test]
    fn the_first_separator_wins() {
        assert_eq!(pair("abc=def=="), ("abc".into(), "def==".into()));
        assert_eq!(pair("k = = v"), ("k".into(), "= v".into()));
        assert_eq!(pair("url https://h"), ("url".into(), "https://h".into()));
    }

    #[test]
    fn a_lone_key_has_an_empty_value() {
        for text in ["k", "k=", "k =  ", "  k"] {
            assert_eq!(pair(text), ("k".into(), String::new()), "{text:?}");
        }
        assert_eq!(pair("=v"), (String::new(), "v".into()));
    }

    #[test]
    fn comments_and_blank_lines_are_skipped_and_a_late_sign_is_part_of_the_value() {
        assert_eq!(
            pairs("# a=b\n  ! c=d\n\n \t\n#x\\\nk=v # not a comment"),
            [("k".to_owned(), "v # not a comment".to_owned())]
        );
    }

    #[test]
    fn a_backslash_at_the_end_continues_the_line_and_drops_leading_blanks() {
        assert_eq!(pair("k=a,\\\n   b,\\\r\n\tc"), ("k".into(), "a,b,c".into()));
        assert_eq!(pair("k=a\\\n# b"), ("k".into(), "a# b".into()));
        assert_eq!(pairs("k=a\\\\\nl=b").len(), 2);
        assert_eq!(pair("k=a\\"), ("k".into(), "a".into()));
    }

    #[test]
    fn every_escape_is_read() {
        assert_eq!(pair(r"k=\t\n\r\f\\\=\:\ \q\u00e9"), ("k".into(), "\t\n\r\u{c}\\=: qé".into()));
        assert_eq!(pair(r"a\=b\:c\ d=v"), ("a=b:c d".into(), "v".into()));
        assert_eq!(pair(r"k=\ud83d\ude00x"), ("k".into(), "😀x".into()));
    }

    #[test]
    fn a_bad_unicode_escape_names_its_line() {
        for text in [r"k=\u12", r"k=\u12G4", r"k=\ud83d", r"k=\ude00", "k=\\u00é"] {
            assert_eq!(parse(&format!("# c\n{text}\n")), Err(SyntaxError { line: 2 }), "{text}");
        }
    }

    #[test]
    fn trailing_blanks_duplicates_and_utf8_are_kept() {
        assert_eq!(pair("k=v  "), ("k".into(), "v  ".into()));
        assert_eq!(pair("\u{feff}k=é"), ("k".into(), "é".into()));
        assert_eq!(pairs("k=1\rk=2\r\nk=3").len(), 3);
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let lines: Vec<_> = parse("a=1\n\n# c\nb=\\\n 2\nc=3").unwrap().iter().map(|p| p.line).collect();
        assert_eq!(lines, [1, 4, 6]);
    }
}
