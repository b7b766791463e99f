//! [`PlainReader`]: reads JSON as a server spells it as a rule.

use serde::{Deserialize, de::IgnoredAny};

/// Reads JSON without white space around its members, and without escapes in names and texts, for six tenths of the
/// instructions of `serde_json`.
///
/// Every method returns `None` where it meets anything else, be it a mistake: then all of it has to be read by
/// `serde_json`, which also knows what is wrong. What it does read, `serde_json` reads alike. It finds its way from
/// member to member and over texts, and leaves most other values to `serde_json`, which takes them as they are.
pub(super) struct PlainReader<'a> {
    text: &'a str,
    /// What was not read yet.
    rest: &'a [u8],
}

impl<'a> PlainReader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// An object. `member` gets the name of each member and reads its value.
    #[inline]
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.expect("{")?;
        if self.expect("}").is_some() {
            return Some(());
        }
        loop {
            let name = self.text()?;
            self.expect(":")?;
            member(self, name)?;
            if self.expect(",").is_none() {
                return self.expect("}");
            }
        }
    }

    /// A text, without the quotation marks.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        self.expect("\"")?;
        let (text, rest) = self.rest.split_at_checked(plain_len(self.rest))?;
        self.rest = rest;
        self.expect("\"")?;
        Some(text)
    }

    /// A value of any kind.
    pub(super) fn value<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let rest = self.text.get(self.text.len() - self.rest.len()..)?;
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let value = values.next()?.ok()?;
        self.rest = self.rest.get(values.byte_offset()..)?;
        Some(value)
    }

    /// Whether the value is `null`, which then is read.
    #[inline]
    pub(super) fn null(&mut self) -> bool {
        self.expect("null").is_some()
    }

    /// Passes over a value of any kind.
    #[inline]
    pub(super) fn skip(&mut self) -> Option<()> {
        match self.rest.first()? {
            b'"' => self.text().map(drop),
            b't' => self.expect("true"),
            b'f' => self.expect("false"),
            _ => self.expect("{}").or_else(|| self.value::<IgnoredAny>().map(drop)),
        }
    }

    /// Nothing more.
    pub(super) fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    #[inline]
    fn expect(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word.as_bytes())?;
        Some(())
    }
}

/// Sets what is not set yet: `serde_json` knows what to say of a member that comes twice.
pub(super) fn set_once<T>(member: &mut Option<T>, value: T) -> Option<()> {
    member.replace(value).is_none().then_some(())
}

/// How many bytes there are before the first that is no plain part of a text: a quotation mark, a backslash, or a
/// control character.
#[inline]
fn plain_len(text: &[u8]) -> usize {
    // Most texts are so short that to call a library's search takes longer.
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    text.len() - rest.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The eight bytes of a word at once: the highest bit of the first that is special is set, and none before it.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = ONES << 7;
    /// Where a byte is less than `limit`, its highest bit is set; after the first it may be elsewhere, too.
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(ONES * limit as u64) & !word & HIGHEST
    }
    below(word, b' ') | below(word ^ (ONES * b'"' as u64), 1) | below(word ^ (ONES * b'\\' as u64), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_plain_up_to_whatever_is_not() {
        for byte in 0..=u8::MAX {
            let is_plain = !matches!(byte, b'"' | b'\\' | ..b' ');
            for (before, after) in (0..20).flat_map(|before| (0..10).map(move |after| (before, after))) {
                for around in [b'a', b'!', b'#', b'\x7f', b'\x80', b'\xff'] {
                    let text = [&vec![around; before][..], &[byte], &vec![around; after]].concat();
                    let expected = if is_plain { text.len() } else { before };
                    assert_eq!(plain_len(&text), expected, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn the_first_of_several_counts() {
        for (text, expected) in [("ab\"\\cdefgh", 2), ("\u{1f}\"", 0), ("a b!\"#\"\\", 4), ("\"", 0), ("", 0)]
        {
            assert_eq!(plain_len(text.as_bytes()), expected, "{text:?}");
        }
    }
}
