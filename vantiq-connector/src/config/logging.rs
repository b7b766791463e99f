//! [`setup_logging`]: a log as `serverConfig/logger.ini` describes it.

use std::{
    env, fs,
    fs::File,
    io::{self, IsTerminal},
    iter,
    path::{Path, PathBuf},
    sync::Arc,
};

use configparser::ini::{Ini, IniDefault};
use tracing::{dispatcher, level_filters::LevelFilter, warn};
use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

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
    /// The file is not in INI format.
    #[error("{path}: {what}; write `[section]` lines and `key = value` lines", path = path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A value is none of those that it may be.
    #[error("{path}: `{key}` in `[{section}]` is `{found}`; write {expected}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
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
/// Of a `logger.ini` of the Python SDK the levels of its loggers are taken over. `RUST_LOG` overrides all
/// levels; every event of a source is in the span `source{id=..}`, so
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
    let (writer, ansi) = log.writer()?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(ansi);
    // It fails only where another thread was faster, and then that one's subscriber is respected.
    let _ = match log.format {
        Format::Text => builder.try_init(),
        Format::Compact => builder.compact().try_init(),
        Format::Json => builder.json().try_init(),
    };
    if log.is_python {
        warn!("{LOGGER_INI} is in the format of Python's logging; only the levels of its loggers are used");
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

/// A `logger.ini`.
#[derive(Debug, PartialEq, Eq)]
struct Log {
    level: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
    format: Format,
    file: Option<PathBuf>,
    is_python: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Compact,
    Json,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LevelFilter::INFO,
            targets: Vec::new(),
            format: Format::Text,
            file: None,
            is_python: false,
        }
    }
}

impl Log {
    fn read(path: &Path) -> Result<Self, LoggingError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LoggingError::Unreadable { path: path.to_owned(), error }),
        }
    }

    fn parse(path: &Path, text: String) -> Result<Self, LoggingError> {
        let is_python = text.lines().any(|line| matches!(line.trim(), "[loggers]" | "[logger_root]"));
        let mut syntax = IniDefault::default();
        syntax.case_sensitive = true;
        if !is_python {
            // A target such as `mine::deep` has colons in its name.
            syntax.delimiters = vec!['='];
        }
        let mut ini = Ini::new_from_defaults(syntax);
        ini.read(text).map_err(|what| LoggingError::Syntax { path: path.to_owned(), what })?;
        let file = IniFile { path, ini };
        if is_python { file.python() } else { file.native() }
    }

    /// The levels as `tracing` writes them.
    fn directives(&self) -> String {
        let targets = self.targets.iter().map(|(target, level)| format!("{target}={level}"));
        iter::once(self.level.to_string()).chain(targets).collect::<Vec<_>>().join(",")
    }

    /// Where the log goes, and whether colours are seen there.
    fn writer(&self) -> Result<(BoxMakeWriter, bool), LoggingError> {
        let Some(path) = &self.file else {
            return Ok((BoxMakeWriter::new(io::stderr), io::stderr().is_terminal()));
        };
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|error| LoggingError::LogFile { path: path.clone(), error })?;
        Ok((BoxMakeWriter::new(Arc::new(file)), false))
    }
}

/// A file, with its name for error messages.
struct IniFile<'a> {
    path: &'a Path,
    ini: Ini,
}

impl IniFile<'_> {
    fn native(&self) -> Result<Log, LoggingError> {
        let mut log = Log::default();
        if let Some(level) = self.level("log", "level")? {
            log.level = level;
        }
        if let Some(found) = self.ini.get("log", "format") {
            log.format = match found.as_str() {
                "text" => Format::Text,
                "compact" => Format::Compact,
                "json" => Format::Json,
                _ => return Err(self.invalid("log", "format", found, "text, compact or json")),
            };
        }
        log.file = self.ini.get("log", "file").map(PathBuf::from);
        for (target, _) in self.section("targets") {
            log.targets.extend(self.level("targets", &target)?.map(|level| (target, level)));
        }
        Ok(log)
    }

    /// Python's `logging.config` format: the root logger's level and that of each named logger.
    fn python(&self) -> Result<Log, LoggingError> {
        let mut log = Log { is_python: true, ..Log::default() };
        if let Some(level) = self.level("logger_root", "level")? {
            log.level = level;
        }
        let mut sections = self.ini.sections();
        sections.sort();
        for section in sections.iter().filter(|section| section.starts_with("logger_")) {
            // The Python SDK's own logger is this crate.
            let target = match self.ini.get(section, "qualname").as_deref() {
                None | Some("root") => continue,
                Some("vantiqconnectorsdk") => "vantiq_connector".to_owned(),
                Some(name) => name.replace('.', "::"),
            };
            log.targets.extend(self.level(section, "level")?.map(|level| (target, level)));
        }
        Ok(log)
    }

    fn section(&self, name: &str) -> Vec<(String, Option<String>)> {
        let mut pairs: Vec<_> = self.ini.get_map_ref().get(name).into_iter().flatten().collect();
        pairs.sort();
        pairs.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn level(&self, section: &str, key: &str) -> Result<Option<LevelFilter>, LoggingError> {
        let Some(found) = self.ini.get(section, key) else { return Ok(None) };
        let level = match found.to_ascii_lowercase().as_str() {
            "trace" | "notset" => LevelFilter::TRACE,
            "debug" => LevelFilter::DEBUG,
            "info" => LevelFilter::INFO,
            "warn" | "warning" => LevelFilter::WARN,
            "error" | "critical" | "fatal" => LevelFilter::ERROR,
            "off" => LevelFilter::OFF,
            _ => return Err(self.invalid(section, key, found, "trace, debug, info, warn, error or off")),
        };
        Ok(Some(level))
    }

    fn invalid(&self, section: &str, key: &str, found: String, expected: &'static str) -> LoggingError {
        LoggingError::Invalid {
            path: self.path.to_owned(),
            section: section.to_owned(),
            key: key.to_owned(),
            found,
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Log, LoggingError> {
        Log::parse(Path::new("logger.ini"), text.to_owned())
    }

    #[test]
    fn a_file_of_our_own_sets_everything() {
        let log = parse(
            "[log]\nlevel = warn\nformat = json\nfile = a.log\n[targets]\nvantiq_connector = DEBUG\nmine::deep = off\n",
        )
        .unwrap();
        assert_eq!(log.directives(), "warn,mine::deep=off,vantiq_connector=debug");
        assert_eq!((log.format, log.file.as_deref()), (Format::Json, Some(Path::new("a.log"))));
    }

    #[test]
    fn of_a_python_file_the_levels_are_taken_over() {
        let log = parse(
            "[loggers]\nkeys=root,sdk\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nlevel=WARNING\nhandlers=h\n\
             [logger_sdk]\nlevel=DEBUG\nqualname=vantiqconnectorsdk\n[formatter_f]\nformat=%(asctime)s - %(message)s\n",
        )
        .unwrap();
        assert!(log.is_python);
        assert_eq!(log.directives(), "warn,vantiq_connector=debug");
    }

    #[test]
    fn no_file_means_info_on_standard_error() {
        assert_eq!(Log::read(Path::new("/nonexistent/logger.ini")).unwrap(), Log::default());
        assert_eq!(Log::default().directives(), "info");
    }

    #[test]
    fn every_mistake_says_what_to_write() {
        for (text, message) in [
            (
                "[log]\nlevel=loud\n",
                "logger.ini: `level` in `[log]` is `loud`; write trace, debug, info, warn",
            ),
            ("[log]\nformat=xml\n", "logger.ini: `format` in `[log]` is `xml`; write text, compact or json"),
            ("[targets]\na=b\n", "logger.ini: `a` in `[targets]` is `b`; write trace, debug"),
            ("[log\nlevel=info\n", "logger.ini: "),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }

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
