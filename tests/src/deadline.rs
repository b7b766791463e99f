//! No test can hang: every wait is under a deadline.

use std::time::Duration;

/// Far more than anything here takes, even on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// Awaits `future` under the deadline of all tests.
///
/// # Panics
/// If the deadline passes.
#[track_caller]
pub fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        let result = tokio::time::timeout(DEADLINE, future).await;
        result.unwrap_or_else(|_| panic!("{caller}: did not happen within {DEADLINE:?}"))
    }
}
