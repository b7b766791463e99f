//! The log of one test, in memory.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::within;

/// Captures everything that is logged on this thread, at every level, until it is dropped. For tests on
/// tokio's single-threaded runtime, where all tasks share the test's thread.
#[derive(Debug)]
pub struct Log {
    text: Text,
    _default: DefaultGuard,
}

impl Log {
    /// Begins to capture.
    #[must_use]
    pub fn capture() -> Self {
        let text = Text(Arc::new((Mutex::default(), watch::Sender::new(0))));
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(text.clone())
            .finish();
        Self { text, _default: tracing::subscriber::set_default(subscriber) }
    }

    /// Everything so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.bytes()).into_owned()
    }

    /// Waits until a line contains `part`, and returns that line.
    pub async fn line(&self, part: &str) -> String {
        let mut changed = self.text.0.1.subscribe();
        let found = async {
            loop {
                if let Some(line) = self.text().lines().find(|line| line.contains(part)) {
                    return line.to_owned();
                }
                // The sender lives as long as `self`.
                let _ = changed.changed().await;
            }
        };
        within(found).await
    }
}

/// The bytes, and how many they are.
#[derive(Debug, Clone)]
struct Text(Arc<(Mutex<Vec<u8>>, watch::Sender<usize>)>);

impl Text {
    fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.extend_from_slice(bytes);
        self.0.1.send_replace(text.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Text {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
