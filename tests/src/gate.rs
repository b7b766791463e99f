//! A gate for calls of handlers.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds back calls that [wait](Self::pass) for it, until it is opened for each of them.
#[derive(Debug)]
pub struct Gate(Semaphore);

impl Gate {
    /// A closed gate, to be given to [`shared_arc`](vantiq_connector::ConnectorSetBuilder::shared_arc).
    #[must_use]
    pub fn closed() -> Arc<Self> {
        Arc::default()
    }

    /// Lets so many calls pass.
    pub fn open(&self, calls: usize) {
        self.0.add_permits(calls);
    }

    /// Waits until the gate is opened for this call. Calls pass in the order in which they came.
    pub async fn pass(&self) {
        self.0.acquire().await.expect("nobody closes the semaphore").forget();
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}
