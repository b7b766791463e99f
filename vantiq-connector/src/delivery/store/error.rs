//! [`StoreError`]: why the outbox file cannot be used, and what to do.

use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why the outbox file cannot be used. Its text names the file and says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    path: Arc<Path>,
    kind: StoreErrorKind,
    cause: Option<Cause>,
}

/// What is the matter with the outbox file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Another process, or another connector set of this one, has it open.
    InUse,
    /// It is damaged, or no outbox file.
    Damaged,
    /// It has reached `outboxMaxBytes`.
    CapReached,
    /// The disk, or the quota on it, is full.
    DiskFull,
    /// It cannot be read or written, for another reason; [`source`](Error::source) has it.
    Unusable,
}

/// What was beneath it, as a text: the library that keeps the file is not part of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Cause(Arc<str>);

impl StoreError {
    #[cfg_attr(not(feature = "durable"), expect(dead_code, reason = "only a store has such errors"))]
    pub(crate) fn new(path: &Path, kind: StoreErrorKind, cause: Option<&dyn fmt::Display>) -> Self {
        Self { path: path.into(), kind, cause: cause.map(|cause| Cause(cause.to_string().into())) }
    }

    /// What is the matter.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// The outbox file.
    pub fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            StoreErrorKind::InUse => {
                "is in use; stop the other process or connector set, or give this one an `outboxFile` of its own"
            }
            StoreErrorKind::Damaged => {
                "is damaged, or no outbox file; move it away, or have it set aside and what can be read \
                 rescued with `outboxOnError=memory`"
            }
            StoreErrorKind::CapReached => {
                "is full; wait until the server has taken events, or allow more with `outboxMaxBytes`"
            }
            StoreErrorKind::DiskFull => "cannot grow, for the disk is full; make room on it",
            StoreErrorKind::Unusable => "cannot be used; check that it can be read and written",
        };
        write!(f, "the outbox file {} {what}", self.path.display())
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
