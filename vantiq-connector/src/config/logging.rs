//! [`setup_logging`]: a log as `serverConfig/logger.ini` describes it.

use std::{
    env,
    fs::File,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    sync::Arc,
};

use tracing::{dispatcher, warn};
use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

use super::logger_ini::{Format, Log};

/// Where the log is described, relative to the working directory, as in the Python SDK.
const LOGGER_INI: &str = "serverConfig/logger.ini";
/// The variable that overrides all levels.
const RUST_LOG: &str = "RUST_LOG";

/// A mistake in `serverConfig/logger.ini` or `RUST_LOG`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggingError {
    /// The file is there and cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// A line is not in INI format.
    #[error("{path}:{line}: write `[section]` or `key = value` here", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A value is none of those that it may be.
    #[error("{path}:{line}: `{key}` in `[{section}]` is `{found}`; write {expected}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The section.
        section: String,
        /// The key.
        key: String,
        /// The value.
        found: String,
        /// What to write instead.
        expected: &'static str,
    },
    /// The log's own file cannot be opened.
    #[error("the log file {path} cannot be opened", path = path.display())]
    LogFile {
        /// The log's file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
    /// `RUST_LOG` cannot be read.
    #[error("the variable RUST_LOG is `{0}`; write a level or a list such as info,vantiq_connector=debug")]
    RustLog(String),
}

/// Sets up the log of the process, unless one is set up already: then it does nothing.
///
/// Without a `serverConfig/logger.ini` the log goes to standard error, at level `info`. With one:
///
/// ```ini
/// [log]
/// level = info              # trace, debug, info, warn, error or off
/// format = text             # text, compact or json
/// file = connector.log      # appended to; standard error where left out
///
/// [targets]
/// vantiq_connector = debug  # a level for each crate or module
/// ```
///
/// An unknown section or key is a warning, with the nearest known one. Of a `logger.ini` of the Python SDK the
/// levels of its loggers are taken over.
///
/// `RUST_LOG` overrides all levels; every event of a source is in the span `source{id=..}`, so
/// `RUST_LOG=info,[source{id=camera-1}]=trace` shows one source closely.
///
/// # Errors
/// [`LoggingError`] where the file or `RUST_LOG` has a mistake in it.
pub fn setup_logging() -> Result<(), LoggingError> {
    if dispatcher::has_been_set() {
        return Ok(());
    }
    let log = Log::read(Path::new(LOGGER_INI))?;
    let filter = filter(&log, env::var(RUST_LOG).ok().filter(|levels| !levels.trim().is_empty()))?;
    let (writer, ansi) = writer(&log)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    // It fails only where another thread was faster, and then that one's subscriber is respected.
    let _ = match log.format {
        Format::Text => builder.try_init(),
        Format::Compact => builder.compact().try_init(),
        Format::Json => builder.json().try_init(),
    };
    for warning in &log.warnings {
        warn!("{warning}");
    }
    Ok(())
}

/// What `RUST_LOG` says, or else the file.
fn filter(log: &Log, rust_log: Option<String>) -> Result<EnvFilter, LoggingError> {
    match rust_log {
        Some(levels) => EnvFilter::try_new(&levels).map_err(|_| LoggingError::RustLog(levels)),
        None => Ok(EnvFilter::new(log.directives())),
    }
}

/// Where the log goes, and whether colours are seen there.
fn writer(log: &Log) -> Result<(BoxMakeWriter, bool), LoggingError> {
    let Some(path) = &log.file else {
        return Ok((BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()));
    };
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(|error| LoggingError::LogFile { path: path.clone(), error })?;
    Ok((BoxMakeWriter::new(Arc::new(file)), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_overrides_the_file() {
        let shown = |rust_log: Option<&str>| {
            filter(&Log::default(), rust_log.map(str::to_owned)).map(|f| f.to_string())
        };
        assert_eq!(shown(None).unwrap(), "info");
        assert_eq!(shown(Some("trace")).unwrap(), "trace");
        assert!(matches!(shown(Some("a=b=c")), Err(LoggingError::RustLog(_))));
    }
}
