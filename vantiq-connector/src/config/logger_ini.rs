//! [`Log`]: what a `logger.ini` says, in a format of our own or in that of Python's `logging.config`.

use std::{
    fs, io, iter,
    path::{Path, PathBuf},
};

use configparser::ini::{Ini, IniDefault};
use tracing::level_filters::LevelFilter;

use super::LoggingError;

/// A `logger.ini`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) level: LevelFilter,
    pub(super) targets: Vec<(String, LevelFilter)>,
    pub(super) format: Format,
    pub(super) file: Option<PathBuf>,
    pub(super) is_python: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
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
    pub(super) fn read(path: &Path) -> Result<Self, LoggingError> {
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
    pub(super) fn directives(&self) -> String {
        let targets = self.targets.iter().map(|(target, level)| format!("{target}={level}"));
        iter::once(self.level.to_string()).chain(targets).collect::<Vec<_>>().join(",")
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
}
