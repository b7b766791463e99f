//! What goes to standard output: results for people, in colour on a terminal, and JSON for scripts.

use std::borrow::Cow;
use std::io::{self, StdoutLock, Write};

use anstream::AutoStream;
use clap::builder::styling::{AnsiColor, Style};
use serde_json::{Value, json};

use super::error::ProgramError;
use super::exit::Exit;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const PENDING: Style = AnsiColor::Yellow.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const PLAIN: Style = Style::new();

/// Standard output for people: colours come through on a terminal only, and not with `NO_COLOR`.
pub(super) fn people() -> AutoStream<StdoutLock<'static>> {
    AutoStream::auto(io::stdout().lock())
}

/// Prints one JSON value as a line.
pub(super) fn json_line(value: &Value) -> io::Result<()> {
    raw_line(value.to_string().as_bytes())
}

/// Passes a line on as it is.
pub(super) fn raw_line(line: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(line)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A remark, which is no part of the result; nobody needs to hear it.
pub(super) fn note(text: &str) {
    let mut err = AutoStream::auto(io::stderr().lock());
    let _ = writeln!(err, "{DIM}{}{DIM:#}", plain(text));
}

/// `1 row`, `2 rows`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Says that something was done, to whoever asked.
pub(super) fn done(what: &str, source: &str, json: bool) -> Result<Exit, ProgramError> {
    if json {
        json_line(&json!({"done": what, "source": source}))?;
    } else {
        writeln!(people(), "{}: {what}", plain(source))?;
    }
    Ok(Exit::Done)
}

/// With `json`, what went wrong is on standard output, too, so that scripts need not read complaints.
pub(super) fn tell_error<T>(result: Result<T, ProgramError>, json: bool) -> Result<T, ProgramError> {
    if let (Err(error), true) = (&result, json)
        && let Some(code) = error.code()
    {
        json_line(&json!({"error": {"code": code, "message": error.message()}}))?;
    }
    result
}

/// A text from elsewhere without anything that a terminal would obey.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return text.into();
    }
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(plain("a b"), "a b");
        assert_eq!(plain("a\u{1b}[31m\n\u{9b}b"), r"a\u{1b}[31m\n\u{9b}b");
    }
}
