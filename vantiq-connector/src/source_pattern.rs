//! [`SourcePattern`]: which source names a handler serves.

/// The source names that a handler serves: one name, a pattern in which `*` stands for any run of
/// characters, or any name at all.
///
/// Where several handlers of a connector set match a name, an exact name beats a pattern, a pattern beats
/// [`ANY`](Self::ANY), and of two patterns the one with more literal characters wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourcePattern(&'static str);

/// Why a text cannot be the name of a source or a pattern for names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameFault {
    Empty,
    WhiteSpace,
    Comma,
}

impl SourcePattern {
    /// Serves every source of the set that no other handler serves.
    pub const ANY: Self = Self("*");

    /// A name such as `"thermostat"` or a pattern such as `"camera-*"`.
    ///
    /// # Panics
    /// If `pattern` is empty or has white space or a comma in it; in a `const`, as in
    /// [`VantiqSource::PATTERN`](crate::VantiqSource::PATTERN), that is a compile error.
    #[must_use]
    pub const fn new(pattern: &'static str) -> Self {
        match name_fault(pattern) {
            None => Self(pattern),
            Some(NameFault::Empty) => panic!("a source name must not be empty; use `SourcePattern::ANY`"),
            Some(NameFault::WhiteSpace) => panic!("a source name must not contain white space"),
            Some(NameFault::Comma) => panic!("a source name must not contain a comma"),
        }
    }

    /// The text it was made from.
    pub const fn as_str(&self) -> &'static str {
        self.0
    }

    /// Whether only one name matches.
    pub const fn is_exact(&self) -> bool {
        !contains(self.0.as_bytes(), b'*')
    }

    /// Whether `name` matches. Upper and lower case differ.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        // `split` yields at least one part, the whole text where there is no `*`.
        let Some(mut rest) = parts.next().and_then(|head| name.strip_prefix(head)) else { return false };
        if self.is_exact() {
            return rest.is_empty();
        }
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }

    /// The higher, the more specific: decides between handlers that match the same name.
    pub(crate) fn rank(&self) -> usize {
        if self.is_exact() { usize::MAX } else { self.0.bytes().filter(|&byte| byte != b'*').count() }
    }
}

/// What is wrong with `name` as the name of a source, if anything.
pub(crate) const fn name_fault(name: &str) -> Option<NameFault> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return Some(NameFault::Empty);
    }
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_whitespace() {
            return Some(NameFault::WhiteSpace);
        }
        at += 1;
    }
    if contains(bytes, b',') { Some(NameFault::Comma) } else { None }
}

const fn contains(bytes: &[u8], wanted: u8) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == wanted {
            return true;
        }
        at += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_name_matches_only_itself() {
        let pattern = SourcePattern::new("a.b");
        assert!(pattern.matches("a.b"));
        assert!(!pattern.matches("a.bc") && !pattern.matches("A.b") && !pattern.matches(""));
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, yes, no) in [
            ("cam-*", vec!["cam-", "cam-1"], vec!["cam", "xcam-1"]),
            ("*-cam", vec!["-cam", "a-cam", "-cam-cam"], vec!["cam", "a-cams"]),
            ("a*b*c", vec!["abc", "a1b2c", "abbcc"], vec!["acb", "ab", "ac"]),
            ("a*a", vec!["aa", "aba"], vec!["a"]),
            ("*", vec!["", "x"], vec![]),
        ] {
            let pattern = SourcePattern(pattern);
            assert!(yes.iter().all(|name| pattern.matches(name)), "{pattern:?} should match {yes:?}");
            assert!(!no.iter().any(|name| pattern.matches(name)), "{pattern:?} should not match {no:?}");
        }
    }

    #[test]
    fn the_more_specific_pattern_ranks_higher() {
        let ranks: Vec<_> =
            ["*", "c*", "cam-*", "cam-1"].iter().map(|pattern| SourcePattern::new(pattern).rank()).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
    }

    #[test]
    fn a_name_that_server_config_could_not_list_is_refused() {
        assert_eq!(name_fault(""), Some(NameFault::Empty));
        assert_eq!(name_fault("a b"), Some(NameFault::WhiteSpace));
        assert_eq!(name_fault("a,b"), Some(NameFault::Comma));
        assert_eq!(name_fault("a.b-c"), None);
    }
}
