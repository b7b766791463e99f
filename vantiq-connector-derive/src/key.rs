//! [`Key`]: the words that `#[vantiq_source(...)]` knows, most of them before a `=`.

/// A key of the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Config,
    Publish,
    Query,
    Persistent,
    Crate,
}

impl Key {
    const ALL: [Self; 5] = [Self::Config, Self::Publish, Self::Query, Self::Persistent, Self::Crate];

    /// How alike a misspelt word and a key must be (Jaro-Winkler, 1 is equal) for the key to be proposed:
    /// `krate` and `queries` are above, words of another meaning such as `retry` or `secret` below.
    const ALIKE: f64 = 0.8;

    /// As it is written.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Publish => "publish",
            Self::Query => "query",
            Self::Persistent => "persistent",
            Self::Crate => "crate",
        }
    }

    /// How it is used, for messages.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Self::Config => "config = Config",
            Self::Publish => "publish = Publish",
            Self::Query => "query = Query",
            Self::Persistent => "persistent",
            Self::Crate => "crate = path::to::vantiq_connector",
        }
    }

    /// Whether it is written without a value.
    pub(crate) fn stands_alone(self) -> bool {
        self == Self::Persistent
    }

    /// The key that is written `word`.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.text() == word)
    }

    /// The key that `word` was probably meant to be.
    pub(crate) fn nearest(word: &str) -> Option<Self> {
        let word = word.to_lowercase();
        Self::ALL
            .into_iter()
            .map(|key| (key, strsim::jaro_winkler(&word, key.text())))
            .filter(|(_, likeness)| *likeness >= Self::ALIKE)
            .max_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_text_alone() {
        assert!(Key::ALL.into_iter().all(|key| Key::named(key.text()) == Some(key)));
        assert_eq!(Key::named("Config"), None);
    }

    #[test]
    fn a_misspelt_key_is_recognised() {
        for (word, key) in [
            ("confg", Key::Config),
            ("Config", Key::Config),
            ("configuration", Key::Config),
            ("pub", Key::Publish),
            ("publsih", Key::Publish),
            ("queries", Key::Query),
            ("persist", Key::Persistent),
            ("persistant", Key::Persistent),
            ("persistence", Key::Persistent),
            ("krate", Key::Crate),
        ] {
            assert_eq!(Key::nearest(word), Some(key), "{word}");
        }
    }

    #[test]
    fn a_word_of_another_meaning_is_not_taken_for_a_key() {
        for word in ["retry", "secret", "name", "source", "topic", "pressure", "permanent", "x"] {
            assert_eq!(Key::nearest(word), None, "{word}");
        }
    }
}
