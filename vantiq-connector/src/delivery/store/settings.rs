//! [`StoreSettings`]: what the operator says about the outbox file.

use std::path::PathBuf;

/// When the outbox file is forced to the disk: the key `outboxSync`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutboxSync {
    /// Before `notify` returns. The default: what was accepted survives the process and the machine. Events
    /// that are accepted at the same time share one sync.
    #[default]
    Always,
    /// Every 100 ms, all that came meanwhile at once; `notify` waits for nothing but a sync that
    /// is under way, and for what becomes of a file that could not be used. What was accepted within
    /// that time can be lost with the process; the file stays whole. What is delivered sooner is never
    /// written.
    Interval,
    /// Never by the connector: `notify` returns when the operating system has the event. It survives the
    /// process; a crash of the machine may damage the file.
    Never,
}

/// What happens when the outbox file cannot be used: the key `outboxOnError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum OutboxOnError {
    /// The connector does not start, `notify` returns an error. The default: nothing is accepted that would
    /// not survive.
    #[default]
    Refuse,
    /// It is logged, and events are accepted into memory only until the file can be used again. A damaged
    /// file is set aside, what can be read of it goes into a new one. A file that another process has is refused all
    /// the same: two that write to one are a mistake in the settings.
    Memory,
}

/// What the operator says about the outbox file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoreSettings {
    pub(crate) file: PathBuf,
    pub(crate) sync: OutboxSync,
    pub(crate) max_bytes: u64,
    pub(crate) on_error: OutboxOnError,
}

impl OutboxSync {
    /// All of them, as `server.config` spells them.
    const ALL: [(&str, Self); 3] =
        [("always", Self::Always), ("interval", Self::Interval), ("never", Self::Never)];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, sync)| *sync)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval => "interval",
            Self::Never => "never",
        }
    }
}

impl OutboxOnError {
    /// Both, as `server.config` spells them.
    const ALL: [(&str, Self); 2] = [("refuse", Self::Refuse), ("memory", Self::Memory)];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, on_error)| *on_error)
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Memory => "memory",
        }
    }
}
