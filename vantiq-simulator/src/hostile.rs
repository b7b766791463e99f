//! [`HostileFrames`]: what no decent server sends, made from a seed.

use std::fmt::Write;

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// An endless stream of frames to be survived: messages of the protocol with members that are missing, twice
/// there, of the wrong type, out of range, nested without end or huge, and the bytes of such messages cut,
/// doubled, overwritten and mixed. The same seed gives the same frames.
///
/// Values that stand where a secret may be, in `object` and `body`, are often [`CANARY`](Self::CANARY); names,
/// operations and headers never are, unless bytes were mixed. So what shows it shows a value of the document.
///
/// ```
/// use vantiq_simulator::HostileFrames;
///
/// let frames: Vec<_> = HostileFrames::new(7).take(3).collect();
/// assert_eq!(frames, HostileFrames::new(7).take(3).collect::<Vec<_>>());
/// ```
#[derive(Debug)]
pub struct HostileFrames {
    rng: StdRng,
}

/// Depth of the frames that nest without end.
const DEEP: usize = 100_000;
/// Length of the texts that are huge.
const HUGE: usize = 300_000;
/// One frame in so many is deep, one in so many huge: they take a hundred times as long as all others.
const RARE: u32 = 2_000;
/// Depth of all other values.
const DEPTH: u32 = 4;

const OPERATIONS: [&str; 12] = [
    r#""configureExtension""#,
    r#""publish""#,
    r#""query""#,
    r#""reconnectRequired""#,
    r#""connectExtension""#,
    r#""validate""#,
    r#""notification""#,
    r#""PUBLISH""#,
    r#""selfDestruct""#,
    r#""quer\u0079""#,
    r#""\ud83d""#,
    r#""""#,
];

const STATUSES: [&str; 18] = [
    "200",
    "204",
    "100",
    "299",
    "300",
    "400",
    "500",
    "503",
    "\"200\"",
    "\" 400 \"",
    "200.0",
    "4e2",
    "-1",
    "65535",
    "65536",
    "1e400",
    "18446744073709551616",
    "\"ok\"",
];

const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "7",
    "65536",
    "-9223372036854775809",
    "18446744073709551616",
    "1e400",
    "-1e-400",
    "1.5",
    "00",
    "1.",
    ".5",
    "+1",
    "0x10",
    "NaN",
    "1e",
];

const TEXTS: [&str; 16] = [
    r#""""#,
    r#""a""#,
    r#""\u0000""#,
    "\"\0\"",
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\uZZZZ""#,
    r#""\x""#,
    "\"\n\"",
    "\"\u{202e}\u{feff}\"",
    r#""a, expected b""#,
    r#""`\"' at line 1 column 1""#,
    r#""{0} '{' %s""#,
    "\"",
    "'a'",
];

const NAMES: [&str; 16] = [
    "op",
    "status",
    "object",
    "body",
    "config",
    "headers",
    "messageHeaders",
    "REPLY_ADDR_HEADER",
    "X-Request-Id",
    "code",
    "message",
    "error",
    "userInfo",
    "general",
    "ports",
    "",
];

const NO_JSON: [&[u8]; 12] = [
    b"",
    b" ",
    b"\0",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0",
    b"{}",
    b"null",
    b"[200]",
    b"<html>502 Bad Gateway</html>",
    b"{\"op\":\"publish\"}{\"op\":\"publish\"}",
    b"{\"op\":\"publish\",}",
    b"{'op':'publish'}",
];

impl HostileFrames {
    /// The value that stands for a secret.
    pub const CANARY: &str = "canary-7d1e";

    /// The frames of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed) }
    }

    /// One of `choices`.
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices.choose(&mut self.rng).expect("no list of choices is empty")
    }

    fn one_in(&mut self, times: u32) -> bool {
        self.rng.random_ratio(1, times)
    }

    fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end.max(1))
    }

    /// A message of the protocol, or nearly.
    fn message(&mut self) -> String {
        let mut members = Vec::new();
        if !self.one_in(4) {
            let op = if self.one_in(8) { self.no_secret(1) } else { self.one_of(&OPERATIONS).to_owned() };
            members.push(format!(r#""op":{op}"#));
        }
        if members.is_empty() || self.one_in(4) {
            let status = if self.one_in(8) { self.no_secret(1) } else { self.one_of(&STATUSES).to_owned() };
            members.push(format!(r#""status":{status}"#));
        }
        for _ in 0..self.below(4) {
            let member = self.member();
            members.push(member);
        }
        if self.one_in(6) {
            let twice = self.below(members.len());
            members.push(members[twice].clone());
        }
        let last = self.below(members.len());
        members.swap(0, last);
        format!("{{{}}}", members.join(","))
    }

    fn member(&mut self) -> String {
        match self.below(6) {
            0 => format!(r#""messageHeaders":{}"#, self.headers("REPLY_ADDR_HEADER")),
            1 => format!(r#""headers":{}"#, self.headers("X-Request-Id")),
            2 => format!(r#""object":{{"config":{}}}"#, self.value(DEPTH)),
            3 => format!(r#""object":{}"#, self.value(DEPTH)),
            4 => format!(r#""body":{}"#, self.value(DEPTH)),
            _ => format!(r#""{}":{}"#, self.one_of(&NAMES), self.no_secret(2)),
        }
    }

    /// Headers of an odd shape, and now and then of the right one.
    fn headers(&mut self, name: &str) -> String {
        match self.below(5) {
            0 => self.no_secret(2),
            1 => format!(r#"{{"{name}":"1","{name}":"2"}}"#),
            2 => format!(r#"["{name}","1"]"#),
            3 => format!(r#"{{"{name}":{}}}"#, self.no_secret(1)),
            _ => format!(r#"{{"{name}":"address"}}"#),
        }
    }

    /// A value that stands where no secret does.
    fn no_secret(&mut self, depth: u32) -> String {
        self.value(depth).replace(Self::CANARY, "odd")
    }

    fn value(&mut self, depth: u32) -> String {
        if self.one_in(RARE) {
            return self.endless();
        }
        let kinds = if depth == 0 { 5 } else { 9 };
        match self.below(kinds) {
            0 | 1 => format!("\"{}\"", Self::CANARY),
            2 => self.one_of(&TEXTS).to_owned(),
            3 => self.one_of(&NUMBERS).to_owned(),
            4 => self.one_of(&["null", "true", "false", "nul", "True", ""]).to_owned(),
            5 | 6 => {
                let items: Vec<_> = (0..self.below(4)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => {
                let mut text = String::from("{");
                for number in 0..self.below(4) {
                    let comma = if number == 0 { "" } else { "," };
                    let (name, value) = (self.one_of(&NAMES), self.value(depth - 1));
                    let _ = write!(text, "{comma}\"{name}\":{value}");
                }
                text.push('}');
                text
            }
        }
    }

    /// A value that is far too deep or far too long.
    fn endless(&mut self) -> String {
        match self.below(5) {
            0 => format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
            1 => format!("{}1{}", "{\"a\":".repeat(DEEP), "}".repeat(DEEP)),
            2 => "[".repeat(DEEP),
            3 => format!("\"{}\"", "x".repeat(HUGE)),
            _ => "9".repeat(HUGE),
        }
    }

    /// Does to the bytes of a message what a broken peer would.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let some = at..bytes.len().min(at + 1 + self.below(8));
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(some)),
                2 => bytes.insert(at, self.rng.random()),
                3 => bytes.extend_from_within(some),
                4 => {
                    let other = self.message().into_bytes();
                    let from = self.below(other.len());
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
    }
}

impl Iterator for HostileFrames {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        Some(match self.below(20) {
            0 => self.one_of(&NO_JSON).to_vec(),
            1 => (0..self.below(64)).map(|_| self.rng.random()).collect(),
            2 => self.value(DEPTH).into_bytes(),
            3..10 => {
                let mut bytes = self.message().into_bytes();
                self.damage(&mut bytes);
                bytes
            }
            _ => self.message().into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const FRAMES: usize = 20_000;

    fn frames() -> impl Iterator<Item = Vec<u8>> {
        HostileFrames::new(1).take(FRAMES)
    }

    #[test]
    fn good_messages_are_among_them_but_most_are_not() {
        let good = frames().filter(|frame| serde_json::from_slice::<Value>(frame).is_ok()).count();
        assert!((FRAMES / 10..FRAMES * 7 / 10).contains(&good), "{good}");
    }

    #[test]
    fn every_operation_is_among_them_and_so_are_the_deep_the_huge_and_what_is_not_utf8() {
        for op in OPERATIONS {
            let member = format!(r#""op":{op}"#);
            assert!(frames().any(|frame| frame.starts_with(format!("{{{member}").as_bytes())), "{op}");
        }
        assert!(frames().any(|frame| frame.windows(DEEP).any(|part| part.iter().all(|byte| *byte == b'['))));
        assert!(frames().any(|frame| frame.len() > HUGE));
        assert!(frames().any(|frame| std::str::from_utf8(&frame).is_err()));
    }
}
