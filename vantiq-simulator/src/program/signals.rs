//! [`Signals`] and [`on_signal`]: a signal is how what has no end is ended.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use super::exit::Exit;

/// How long an orderly end may take after a signal.
const GRACE: Duration = Duration::from_secs(2);

/// Ctrl-C and SIGTERM, since they were listened to.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

/// Ctrl-C, since it was listened to.
#[cfg(windows)]
pub(super) struct Signals {
    interrupt: tokio::signal::windows::CtrlC,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    #[cfg(windows)]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
    }

    /// Waits for the next of them.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits for the next.
    #[cfg(windows)]
    pub(super) async fn next(&mut self) {
        self.interrupt.recv().await;
    }
}

/// Listens from now on, and does this once at the first signal, in a thread of its own that ends with the process.
///
/// The process ends with the second signal, or some time after the first: whoever writes to a reader that does not read
/// cannot be told.
pub(super) fn on_signal(then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::listen()?
    };
    thread::spawn(move || {
        runtime.block_on(signals.next());
        // It may have to wait itself.
        thread::spawn(then);
        let _ = runtime.block_on(async { tokio::time::timeout(GRACE, signals.next()).await });
        process::exit(Exit::Done as i32);
    });
    Ok(())
}
