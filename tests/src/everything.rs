//! All that a test's process says: logs of every kind, and panics.

use std::{
    panic,
    sync::{LazyLock, Mutex, PoisonError},
};

use crate::Log;

/// What the process itself caught. Its hooks can be set only once, so all tests of a process share it.
static CAUGHT: LazyLock<Mutex<String>> = LazyLock::new(|| {
    // A second logger would be the test's own mistake.
    log::set_logger(&Records).expect("nobody else sets a logger");
    log::set_max_level(log::LevelFilter::Trace);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        note(&format!("{info}\n"));
        usual(info);
    }));
    Mutex::default()
});

fn note(text: &str) {
    CAUGHT.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
}

/// Captures what [`Log`] does, what any crate gives to the `log` crate, and what the panic hook is told.
#[derive(Debug)]
pub struct Everything(Log);

impl Everything {
    /// Begins to capture.
    #[must_use]
    pub fn capture() -> Self {
        LazyLock::force(&CAUGHT);
        Self(Log::capture())
    }

    /// Everything so far.
    #[must_use]
    pub fn text(&self) -> String {
        let caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}{caught}", self.0.text())
    }
}

/// Takes records of the `log` crate, as a program does that collects them.
struct Records;

impl log::Log for Records {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        // At TRACE it shows whole frames, and README.md says to keep it above that.
        metadata.level() < log::Level::Trace || !metadata.target().starts_with("tungstenite")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            note(&format!("{} {}: {}\n", record.level(), record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}
