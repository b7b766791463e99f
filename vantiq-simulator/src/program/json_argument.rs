//! [`JsonArgument`]: JSON from the command line, a file or standard input.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::Value;
use vantiq_simulator::{NotJson, Slip, json_text};

/// Where JSON is to be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JsonArgument {
    Inline(String),
    File(PathBuf),
    Stdin,
}

/// There is no JSON, or no text at all.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("cannot read {place}")]
    Read { place: String, source: io::Error },
    #[error("{place}")]
    NotJson { place: String, is_inline: bool, source: NotJson },
}

impl JsonArgument {
    /// As `publish` and `query` have it: the JSON itself, `@FILE`, or `-`.
    pub(super) fn inline(argument: &str) -> Result<Self, String> {
        match argument.strip_prefix('@') {
            Some("") => Err("the file's name is missing behind the @".to_owned()),
            Some(path) => Ok(Self::File(path.into())),
            None if argument == "-" => Ok(Self::Stdin),
            None => Ok(Self::Inline(argument.to_owned())),
        }
    }

    pub(super) fn value(&self) -> Result<Value, InputError> {
        json_text(&self.text()?).map_err(|source| InputError::NotJson {
            place: self.place(),
            is_inline: matches!(self, Self::Inline(_)),
            source,
        })
    }

    pub(super) fn text(&self) -> Result<String, InputError> {
        let text = match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => fs::read_to_string(path),
            Self::Stdin => {
                let mut text = String::new();
                io::stdin().lock().read_to_string(&mut text).map(|_| text)
            }
        };
        text.map_err(|source| InputError::Read { place: self.place(), source })
    }

    /// What to call it in a complaint.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Inline(_) => "the argument".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }
}

/// As where a file is asked for: its path, or `-`.
impl FromStr for JsonArgument {
    type Err = std::convert::Infallible;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        Ok(if argument == "-" { Self::Stdin } else { Self::File(argument.into()) })
    }
}

impl JsonArgument {
    /// As `configure` has it: a file, be it bare, or the document itself, which is an object.
    pub(super) fn document(argument: &str) -> Result<Self, String> {
        let is_inline = argument.starts_with('@') || argument.trim_start().starts_with('{');
        if is_inline {
            Self::inline(argument)
        } else {
            Ok(argument.parse().unwrap_or_else(|error| match error {}))
        }
    }
}

impl InputError {
    pub(super) fn hint(&self) -> &'static str {
        let Self::NotJson { is_inline, source, .. } = self else { return "" };
        match (source.slip, is_inline) {
            (Some(Slip::Missing), _) => r#"write it like '{"target": 23}'"#,
            // The shell has taken the quotes, or parted the text at its blanks.
            (Some(Slip::Unfinished), true) => r#"put all of it in single quotes, such as '{"target": 23}'"#,
            (Some(Slip::Unquoted), true) => {
                r#"write keys and texts in double quotes, and all of it in single ones, such as '{"target": 23}'"#
            }
            (Some(Slip::Unquoted), false) => {
                r#"write keys and texts in double quotes, such as {"target": 23}"#
            }
            (Some(Slip::Unfinished), false) | (None, _) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn inline_json_is_what_it_says() {
        let value = |text| JsonArgument::inline(text).expect("it is there").value();
        assert_eq!(value(r#"{"a": 1}"#).expect("it is JSON"), json!({"a": 1}));
        let error = value("{a: 1}").expect_err("it is wrong");
        assert_eq!(error.to_string(), "the argument");
        assert!(error.hint().contains("single ones"), "{error}");
        assert!(value("{").expect_err("it is wrong").hint().contains("single quotes"));
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = JsonArgument::inline("@no/such").expect("a name").value().expect_err("there is none");
        assert_eq!(error.to_string(), "cannot read no/such");
    }
}
