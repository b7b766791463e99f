//! [`Log`]: what a `logger.ini` says, in a format of our own or in that of Python's `logging.config`.

use std::{
    fs, io, iter,
    path::{Path, PathBuf},
};

use tracing::level_filters::LevelFilter;

use super::{
    LoggingError,
    ini::{self, Entry, Kind},
    setting::nearest,
};

/// A `logger.ini`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) level: LevelFilter,
    pub(super) targets: Vec<(String, LevelFilter)>,
    pub(super) format: Format,
    pub(super) file: Option<PathBuf>,
    /// What to tell the operator, once there is a log.
    pub(super) warnings: Vec<String>,
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
            warnings: Vec::new(),
        }
    }
}

impl Log {
    pub(super) fn read(path: &Path) -> Result<Self, LoggingError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LoggingError::Unreadable { path: path.to_owned(), error }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, LoggingError> {
        let is_python = text.lines().any(|line| matches!(line.trim(), "[loggers]" | "[logger_root]"));
        // A target such as `mine::deep` has colons in its name.
        let equals: &[char] = if is_python { &['=', ':'] } else { &['='] };
        let file = LoggerIni { path, entries: ini::read(text, equals) };
        if is_python { file.python() } else { file.native() }
    }

    /// The levels as `tracing` writes them.
    pub(super) fn directives(&self) -> String {
        let targets = self.targets.iter().map(|(target, level)| format!("{target}={level}"));
        iter::once(self.level.to_string()).chain(targets).collect::<Vec<_>>().join(",")
    }
}

/// The sections of a file of our own.
const SECTIONS: [&str; 2] = ["log", "targets"];
/// The keys of its `[log]`; those of `[targets]` are whatever crates and modules there are.
const LOG_KEYS: [&str; 3] = ["level", "format", "file"];

/// A file, with its name for messages.
struct LoggerIni<'a> {
    path: &'a Path,
    entries: Vec<Entry>,
}

/// A `key = value` of it.
#[derive(Clone, Copy)]
struct Setting<'a> {
    line: usize,
    section: &'a str,
    key: &'a str,
    value: &'a str,
}

impl LoggerIni<'_> {
    fn native(&self) -> Result<Log, LoggingError> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.kind == Kind::Other) {
            return Err(LoggingError::Syntax { path: self.path.to_owned(), line: entry.line });
        }
        let mut log = Log { warnings: self.unknown(), ..Log::default() };
        if let Some(setting) = self.get("log", "level") {
            log.level = self.level(setting)?;
        }
        if let Some(setting) = self.get("log", "format") {
            log.format = match setting.value {
                "text" => Format::Text,
                "compact" => Format::Compact,
                "json" => Format::Json,
                _ => return Err(self.invalid(setting, "text, compact or json")),
            };
        }
        log.file = self.get("log", "file").map(|setting| PathBuf::from(setting.value));
        for setting in self.settings("targets") {
            log.targets.push((setting.key.to_owned(), self.level(setting)?));
        }
        Ok(log)
    }

    /// Python's `logging.config` format: the root logger's level and that of each named logger. What else
    /// stands there is Python, and not for us to judge.
    fn python(&self) -> Result<Log, LoggingError> {
        let mut log = Log { warnings: self.mixed(), ..Log::default() };
        if let Some(setting) = self.get("logger_root", "level") {
            log.level = self.level(setting)?;
        }
        for Entry { section, .. } in self.sections().filter(|entry| entry.section.starts_with("logger_")) {
            let name = self.get(section, "qualname").map(|setting| setting.value);
            let (Some(name), Some(level)) = (name, self.get(section, "level")) else { continue };
            // The Python SDK's own logger is this crate.
            let target = match name {
                "root" => continue,
                "vantiqconnectorsdk" => "vantiq_connector".to_owned(),
                name => name.replace('.', "::"),
            };
            log.targets.push((target, self.level(level)?));
        }
        Ok(log)
    }

    /// A warning for each section and key of a file of our own that nobody reads, in the order of the file.
    fn unknown(&self) -> Vec<String> {
        let unknown = self.entries.iter().filter_map(|entry| {
            let what = match (&entry.kind, entry.section.as_str()) {
                (Kind::Section, section) => unknown_section(section)?,
                (Kind::Setting { key, .. }, "log") => unknown_key(key)?,
                (Kind::Setting { key, .. }, "") => {
                    format!("`{key}` stands above all sections and is ignored; write `[log]` above it")
                }
                _ => return None,
            };
            Some(self.at(entry, &what))
        });
        unknown.collect()
    }

    /// That only the levels of Python's format are used, and a warning for each section of our own beside it.
    fn mixed(&self) -> Vec<String> {
        let ours = self.sections().filter(|entry| SECTIONS.contains(&entry.section.as_str()));
        let ignored = ours.map(|entry| {
            let what =
                format!("section `[{}]` is ignored beside Python's; keep one of the two", entry.section);
            self.at(entry, &what)
        });
        let python = format!(
            "{} is in the format of Python's logging; only the levels of its loggers are used; for the rest \
             write `[log]` and `[targets]` instead",
            self.path.display()
        );
        iter::once(python).chain(ignored).collect()
    }

    fn at(&self, entry: &Entry, what: &str) -> String {
        format!("{}:{}: {what}", self.path.display(), entry.line)
    }

    fn sections(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.kind == Kind::Section)
    }

    /// What stands under `key`, the last of duplicates.
    fn get(&self, section: &str, key: &str) -> Option<Setting<'_>> {
        self.settings(section).filter(|setting| setting.key == key).last()
    }

    fn settings(&self, section: &str) -> impl Iterator<Item = Setting<'_>> {
        let entries = self.entries.iter().filter(move |entry| entry.section == section);
        entries.filter_map(|Entry { line, section, kind }| match kind {
            Kind::Setting { key, value } => Some(Setting { line: *line, section, key, value }),
            _ => None,
        })
    }

    fn level(&self, setting: Setting<'_>) -> Result<LevelFilter, LoggingError> {
        Ok(match setting.value.to_ascii_lowercase().as_str() {
            "trace" | "notset" => LevelFilter::TRACE,
            "debug" => LevelFilter::DEBUG,
            "info" => LevelFilter::INFO,
            "warn" | "warning" => LevelFilter::WARN,
            "error" | "critical" | "fatal" => LevelFilter::ERROR,
            "off" => LevelFilter::OFF,
            _ => return Err(self.invalid(setting, "trace, debug, info, warn, error or off")),
        })
    }

    fn invalid(&self, setting: Setting<'_>, expected: &'static str) -> LoggingError {
        LoggingError::Invalid {
            path: self.path.to_owned(),
            line: setting.line,
            section: setting.section.to_owned(),
            key: setting.key.to_owned(),
            found: setting.value.to_owned(),
            expected,
        }
    }
}

/// What is to be said about a section of a file of our own, if anything.
fn unknown_section(name: &str) -> Option<String> {
    if SECTIONS.contains(&name) {
        return None;
    }
    let python = match name.split_once('_').map_or(name, |(kind, _)| kind) {
        "logger" | "loggers" => Some("write levels into `[targets]`"),
        "handler" | "handlers" => Some("write `file` into `[log]`"),
        "formatter" | "formatters" => Some("write `format` into `[log]`"),
        _ => None,
    };
    if let Some(instead) = python {
        return Some(format!("section `[{name}]` is of Python's logging and is ignored; {instead}"));
    }
    let hint = match nearest(name, &SECTIONS) {
        Some(known) => format!("did you mean `[{known}]`?"),
        None => "the sections are `[log]` and `[targets]`".to_owned(),
    };
    Some(format!("unknown section `[{name}]` is ignored; {hint}"))
}

/// What is to be said about a key of `[log]`, if anything.
fn unknown_key(key: &str) -> Option<String> {
    if LOG_KEYS.contains(&key) {
        return None;
    }
    let hint = match nearest(key, &LOG_KEYS) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "the keys are `level`, `format` and `file`".to_owned(),
    };
    Some(format!("unknown key `{key}` in `[log]` is ignored; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Log, LoggingError> {
        Log::parse(Path::new("logger.ini"), text)
    }

    #[test]
    fn a_file_of_our_own_sets_everything() {
        let log = parse(
            "[log]\nlevel = warn\nformat = json\nfile = a.log\n[targets]\nvantiq_connector = DEBUG\nmine::deep = off\n",
        )
        .unwrap();
        assert_eq!(log.directives(), "warn,vantiq_connector=debug,mine::deep=off");
        assert_eq!((log.format, log.file.as_deref()), (Format::Json, Some(Path::new("a.log"))));
        assert_eq!(log.warnings, Vec::<String>::new());
    }

    #[test]
    fn an_unknown_section_or_key_is_a_warning_with_the_nearest_known_one() {
        let log = parse(
            "format = json\n[log]\nlevel = warn\nfilename = a.log\nhandlers = h\n[target]\na = trace\n[ui]\n\
             [logger_sdk]\nlevel = DEBUG\n[handler_h]\n[formatters]\n",
        )
        .unwrap();
        assert_eq!(
            log.warnings,
            [
                "logger.ini:1: `format` stands above all sections and is ignored; write `[log]` above it",
                "logger.ini:4: unknown key `filename` in `[log]` is ignored; did you mean `file`?",
                "logger.ini:5: unknown key `handlers` in `[log]` is ignored; the keys are `level`, `format` and `file`",
                "logger.ini:6: unknown section `[target]` is ignored; did you mean `[targets]`?",
                "logger.ini:8: unknown section `[ui]` is ignored; the sections are `[log]` and `[targets]`",
                "logger.ini:9: section `[logger_sdk]` is of Python's logging and is ignored; write levels into `[targets]`",
                "logger.ini:11: section `[handler_h]` is of Python's logging and is ignored; write `file` into `[log]`",
                "logger.ini:12: section `[formatters]` is of Python's logging and is ignored; write `format` into `[log]`",
            ]
        );
        assert_eq!((log.directives().as_str(), log.format, log.file), ("warn", Format::Text, None));
    }

    #[test]
    fn of_a_python_file_the_levels_are_taken_over() {
        let log = parse(
            "[loggers]\nkeys=root,sdk\n[handlers]\nkeys=h\n[formatters]\nkeys=f\n[logger_root]\nlevel=WARNING\nhandlers=h\n\
             [logger_sdk]\nlevel=DEBUG\nqualname=vantiqconnectorsdk\n[handler_h]\nargs=('a',\n  'b')\n\
             [formatter_f]\nformat=%(asctime)s - %(message)s\n[log]\nlevel=trace\n",
        )
        .unwrap();
        assert_eq!(
            log.warnings,
            [
                "logger.ini is in the format of Python's logging; only the levels of its loggers are used; for \
                 the rest write `[log]` and `[targets]` instead",
                "logger.ini:18: section `[log]` is ignored beside Python's; keep one of the two",
            ]
        );
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
                "logger.ini:2: `level` in `[log]` is `loud`; write trace, debug, info, warn",
            ),
            (
                "[log]\n\nformat=xml\n",
                "logger.ini:3: `format` in `[log]` is `xml`; write text, compact or json",
            ),
            ("[targets]\na=b\n", "logger.ini:2: `a` in `[targets]` is `b`; write trace, debug"),
            ("[log\nlevel=info\n", "logger.ini:1: write `[section]` or `key = value` here"),
            ("[log]\nlevel: info\n", "logger.ini:2: write `[section]` or `key = value` here"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
