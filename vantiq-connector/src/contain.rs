//! [`Contained`] and [`contain`]: user code whose panics reach nobody else.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

/// User code panicked. The panic hook has been told what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Runs `call`, of which nothing is used again if it panics.
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // Even what a panic carries may panic when it is dropped.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        Panicked
    })
}

pin_project! {
    /// A future of user code. If it panics, that is its result; if it panics when it is dropped, be it before its end,
    /// that is nobody's concern.
    #[derive(Debug)]
    pub(crate) struct Contained<F> {
        #[pin]
        call: Option<F>,
    }

    impl<F> PinnedDrop for Contained<F> {
        fn drop(this: Pin<&mut Self>) {
            this.end();
        }
    }
}

impl<F> Contained<F> {
    pub(crate) const fn new(call: F) -> Self {
        Self { call: Some(call) }
    }

    fn end(self: Pin<&mut Self>) {
        let mut call = self.project().call;
        let _ = contain(|| call.set(None));
    }
}

impl<F: Future> Future for Contained<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = self.as_mut().project().call.as_pin_mut().expect("not polled after its end");
        let result = match contain(|| call.poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(panicked) => Err(panicked),
        };
        self.end();
        Poll::Ready(result)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        panic::panic_any,
        time::Duration,
    };

    use tokio::time::timeout;

    use super::*;

    /// Panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in `drop`, as the test says");
        }
    }

    #[tokio::test]
    async fn what_ends_well_is_the_result() {
        assert_eq!(Contained::new(ready(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_a_result() {
        assert_eq!(
            Contained::new(Box::pin(async { panic!("as the test says") })).await,
            Err::<(), _>(Panicked)
        );
        assert_eq!(contain(|| panic_any(Bomb)), Err::<(), _>(Panicked));
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_when_it_is_dropped_is_nobodys_concern() {
        let call = Contained::new(Box::pin(async {
            let _bomb = Bomb;
            pending::<()>().await;
        }));
        assert!(timeout(Duration::from_secs(1), call).await.is_err());
    }
}
