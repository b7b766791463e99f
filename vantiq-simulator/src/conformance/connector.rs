//! [`Connector`]: the connector that is tried, of which only its start, its stop and its end are known.

use std::error::Error;
use std::iter::successors;
use std::pin::Pin;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::stage::Failure;

/// How long a connector may take to go where nobody looks at how it goes.
const PUTTING_AWAY: Duration = Duration::from_millis(500);

/// Starts a connector with the text of a `server.config`, to be stopped by the token.
pub(super) type Start<'a> = &'a (dyn Fn(String, CancellationToken) -> Running + Send + Sync);

/// A connector at work; an error is told with its causes.
pub(super) type Running = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A connector at work, whatever its errors are.
pub(super) fn running<E>(work: impl Future<Output = Result<(), E>> + Send + 'static) -> Running
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    Box::pin(async move { work.await.map_err(|error| chain(&*error.into())) })
}

/// A connector that runs in a task, which ends with this value.
#[derive(Debug)]
pub(super) struct Connector {
    stop: CancellationToken,
    work: JoinHandle<Result<(), String>>,
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.work.abort();
    }
}

impl Connector {
    pub(super) fn start(start: Start<'_>, server_config: String) -> Self {
        let stop = CancellationToken::new();
        let work = tokio::spawn(start(server_config, stop.clone()));
        Self { stop, work }
    }

    /// Waits for an end that nobody asked for, which is a failure.
    ///
    /// Cancel safe: the end is still there when this is dropped before it came.
    pub(super) async fn unasked_end(&mut self) -> Failure {
        Failure(match self.end().await {
            Ok(()) => "the connector ended by itself".to_owned(),
            Err(why) => format!("the connector ended by itself: {why}"),
        })
    }

    /// Asks it to stop, and sees to it that it ends within the grace and without an error.
    pub(super) async fn stop(mut self, grace: Duration) -> Result<(), Failure> {
        self.ask_to_stop();
        match timeout(grace, self.end()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(Failure(format!("the connector ended with an error: {why}"))),
            Err(_) => Err(Failure(format!("the connector did not end within {grace:?} of being stopped"))),
        }
    }

    /// Asks it to stop, which is done when it ends.
    pub(super) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it, and drops it where that takes long.
    pub(super) async fn put_away(mut self, grace: Duration) {
        self.ask_to_stop();
        if !self.work.is_finished() {
            // However it ends, and whether it does: that is the matter of other checks.
            let _ = timeout(grace.min(PUTTING_AWAY), self.end()).await;
        }
    }

    async fn end(&mut self) -> Result<(), String> {
        (&mut self.work).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// An error and its causes on one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
