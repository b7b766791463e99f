//! [`Scope`]: the lifetime of what a handler spawned.

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, Span, error};

use crate::contain::Contained;

/// The lifetime of what a handler spawned: it ends when its token is cancelled.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Scope {
    /// A scope that ends when `token` is cancelled, which is its own.
    pub(crate) fn until(token: CancellationToken) -> Self {
        Self { token, tasks: TaskTracker::new() }
    }

    /// Runs `task` until it ends or the scope does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (token, task) = (self.token.clone(), Contained::new(Box::pin(task)));
        let task = async move {
            if let Some(Err(_)) = token.run_until_cancelled(task).await {
                error!("a spawned task panicked");
            }
        };
        self.tasks.spawn(task.instrument(Span::current()));
    }

    /// Waits until the scope ends.
    pub(crate) async fn cancelled(&self) {
        self.token.cancelled().await;
    }

    /// Ends it, before its token does.
    pub(crate) fn end(&self) {
        self.token.cancel();
    }

    /// Waits until all tasks have ended; of use once the scope has.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
