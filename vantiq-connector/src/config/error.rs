//! [`ConfigError`]: what is wrong with the settings, where, and what to write.

use std::{fmt, io, path::PathBuf};

/// A mistake in the settings: one line with file, line, key and what to write.
#[derive(Debug)]
pub struct ConfigError {
    origin: Option<PathBuf>,
    line: Option<usize>,
    key: Option<&'static str>,
    fault: Fault,
}

/// What is wrong.
#[derive(Debug)]
pub(super) enum Fault {
    NotFound { tried: String },
    Unreadable(io::Error),
    NotUtf8,
    Syntax(String),
    Missing { expected: String },
    Invalid { found: String, expected: String },
    Unfit(String),
}

impl ConfigError {
    pub(super) fn about(
        origin: Option<PathBuf>,
        line: Option<usize>,
        key: Option<&'static str>,
        fault: Fault,
    ) -> Self {
        Self { origin, line, key, fault }
    }

    /// The key the mistake was made under, where it was made under one.
    pub fn key(&self) -> Option<&str> {
        self.key
    }

    /// The line the mistake is on, from 1, where it is on one.
    pub fn line(&self) -> Option<usize> {
        self.line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.origin {
            write!(f, "{}:", path.display())?;
            self.line.map_or(Ok(()), |line| write!(f, "{line}:"))?;
            f.write_str(" ")?;
        } else if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(key) = self.key {
            write!(f, "`{key}` ")?;
        }
        match &self.fault {
            Fault::NotFound { tried } => {
                write!(
                    f,
                    "no server.config found: looked for {tried}; write one, or name it on the command line"
                )
            }
            Fault::Unreadable(_) => f.write_str("cannot be read"),
            Fault::NotUtf8 => f.write_str("is not UTF-8; save it as UTF-8"),
            Fault::Syntax(what) | Fault::Unfit(what) => f.write_str(what),
            Fault::Missing { expected } => write!(f, "is missing; write {expected}"),
            Fault::Invalid { found, expected } => write!(f, "is `{found}`; write {expected}"),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}
