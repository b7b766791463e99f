//! The lines of an INI file, each with its number. Entry point: [`read`].

use configparser::ini::{Ini, IniDefault};

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// From 1.
    pub(super) line: usize,
    /// The section it opens or stands in; empty above all sections.
    pub(super) section: String,
    pub(super) kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `[section]`
    Section,
    /// `key = value`
    Setting { key: String, value: String },
    /// Anything else.
    Other,
}

/// Reads every line that is neither blank nor a comment. `equals` are the signs that may stand between a key
/// and its value.
pub(super) fn read(text: &str, equals: &[char]) -> Vec<Entry> {
    let mut syntax = IniDefault::default();
    syntax.case_sensitive = true;
    syntax.delimiters = equals.to_vec();
    let mut ini = Ini::new_from_defaults(syntax);
    let mut section = String::new();
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.strip_prefix('\u{feff}').unwrap_or(text).lines()) {
        // The library forgets where a key stood, so it is given one line at a time.
        let kind = match ini.read(text.to_owned()).map(|read| read.into_iter().next()) {
            Ok(None) => continue,
            Ok(Some((name, settings))) => match settings.into_iter().next() {
                None => {
                    section = name;
                    Kind::Section
                }
                Some((key, Some(value))) => Kind::Setting { key, value },
                Some((_, None)) => Kind::Other,
            },
            Err(_) => Kind::Other,
        };
        entries.push(Entry { line, section: section.clone(), kind });
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_says_something_keeps_its_number_and_section() {
        let text =
            "\u{feff}a = 1\n\n# b = 2\n[ one ] ; late\nC.d = 3 # late\n[default]\ne: f\n[two\n= g\nh =\n";
        let shown: Vec<_> = read(text, &['='])
            .into_iter()
            .map(|Entry { line, section, kind }| match kind {
                Kind::Section => format!("{line} [{section}]"),
                Kind::Setting { key, value } => format!("{line} {section}/{key}={value}"),
                Kind::Other => format!("{line} {section}?"),
            })
            .collect();
        let expected = [
            "1 /a=1",
            "4 [one]",
            "5 one/C.d=3",
            "6 [default]",
            "7 default?",
            "8 default?",
            "9 default?",
            "10 default/h=",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_signs_between_key_and_value_are_the_caller_s() {
        assert_eq!(read("a::b = c", &['='])[0].kind, Kind::Setting { key: "a::b".into(), value: "c".into() });
        assert_eq!(
            read("a: b = c", &['=', ':'])[0].kind,
            Kind::Setting { key: "a".into(), value: "b = c".into() }
        );
    }
}
