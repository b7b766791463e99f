//! [`signals`] and [`on_signal`]: a signal is how what has no end is ended.

use std::io;

/// Listens to Ctrl-C and SIGTERM from now on; the future ends with the first of them.
#[cfg(unix)]
pub(super) fn signals() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens to Ctrl-C from now on; the future ends with it.
#[cfg(windows)]
pub(super) fn signals() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// Listens from now on, and does this once at the first signal, in a thread of its own that ends with the process.
pub(super) fn on_signal(then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signalled = {
        let _entered = runtime.enter();
        signals()?
    };
    std::thread::spawn(move || {
        runtime.block_on(signalled);
        then();
    });
    Ok(())
}
