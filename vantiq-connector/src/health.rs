//! The TCP probe: a port that is open while the connector is healthy (`docs/PROTOCOL.md`, section 12).

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Mutex as StdMutex,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle, time::sleep};
use tracing::{info, warn};

/// How long to wait after a failed accept: out of descriptors, most often, and no reason to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Probes that may wait for their turn.
const BACKLOG: i32 = 128;

/// The probe's port could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// Another program listens there, perhaps a second instance of this one.
    #[error("port {port} is in use; write another `tcpProbePort` into server.config")]
    PortInUse {
        /// The port, `tcpProbePort`.
        port: u16,
    },
    /// The operating system refused it.
    #[error("port {port} cannot be opened")]
    Refused {
        /// The port, `tcpProbePort`.
        port: u16,
        /// What the operating system said.
        #[source]
        error: io::Error,
    },
}

/// The probe of a connector set: undeclared at first, then open or closed as declared, and closed for good
/// when the set stops.
#[derive(Debug)]
pub(crate) struct Probe {
    port: u16,
    /// Held while the port is opened or closed, so that declarations take effect one after another.
    port_state: Mutex<Port>,
    declared: StdMutex<Option<Declared>>,
}

#[derive(Debug, Clone, Copy)]
enum Declared {
    Healthy(SocketAddr),
    Unhealthy,
}

#[derive(Debug, Default)]
enum Port {
    #[default]
    Closed,
    /// It closes when the task ends.
    Listening(JoinHandle<()>),
    /// A connector that stops does not become healthy again, whoever declares it.
    ClosedForGood,
}

impl Probe {
    pub(crate) fn new(port: u16) -> Self {
        Self { port, port_state: Mutex::default(), declared: StdMutex::default() }
    }

    /// Opens the port, unless it is open, or closed for good.
    pub(crate) async fn declare_healthy(&self) -> Result<(), HealthError> {
        let mut state = self.port_state.lock().await;
        if matches!(*state, Port::Closed) {
            let (listener, addr) = open(self.port)?;
            *state = Port::Listening(tokio::spawn(accept(listener)));
            self.declare(Declared::Healthy(addr));
            info!(port = addr.port(), "declared healthy");
        }
        Ok(())
    }

    /// Closes the port; it is closed when this returns.
    pub(crate) async fn declare_unhealthy(&self) {
        let mut state = self.port_state.lock().await;
        self.declare(Declared::Unhealthy);
        if matches!(*state, Port::Listening(_)) {
            close(std::mem::take(&mut *state)).await;
        }
    }

    /// Closes the port for good. Where nothing was ever declared, that stays so.
    pub(crate) async fn close(&self) {
        let mut state = self.port_state.lock().await;
        if self.declared().is_some() {
            self.declare(Declared::Unhealthy);
        }
        close(std::mem::replace(&mut *state, Port::ClosedForGood)).await;
    }

    pub(crate) fn is_healthy(&self) -> Option<bool> {
        self.declared().map(|declared| matches!(declared, Declared::Healthy(_)))
    }

    /// Where the probe listens, while it does.
    pub(crate) fn addr(&self) -> Option<SocketAddr> {
        match self.declared() {
            Some(Declared::Healthy(addr)) => Some(addr),
            _ => None,
        }
    }

    fn declare(&self, declared: Declared) {
        *self.declared.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(declared);
    }

    fn declared(&self) -> Option<Declared> {
        *self.declared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Port::Listening(task) = self.port_state.get_mut() {
            task.abort();
        }
    }
}

async fn close(port: Port) {
    if let Port::Listening(task) = port {
        task.abort();
        // Only after the task is gone, is its listener, too.
        let _ = task.await;
        info!("declared unhealthy");
    }
}

/// Accepts and closes: that the port is open is all that a probe wants to know.
async fn accept(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => drop(connection),
            Err(error) => {
                warn!(%error, "the health probe cannot accept");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Listens on all interfaces, for IPv6 and IPv4; for IPv4 alone where there is no IPv6.
fn open(port: u16) -> Result<(TcpListener, SocketAddr), HealthError> {
    let listening = listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    let listening = match listening {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        other => other,
    };
    let opened = listening.and_then(|listener| {
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    });
    opened.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => HealthError::PortInUse { port },
        _ => HealthError::Refused { port, error },
    })
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A port that was closed a moment ago may be opened again at once. On Windows the option would let two
    // programs listen on one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_probe_that_was_closed_for_good_does_not_open_again() {
        let probe = Probe::new(0);
        probe.declare_healthy().await.unwrap();
        assert_eq!((probe.is_healthy(), probe.addr().is_some()), (Some(true), true));
        probe.close().await;
        probe.declare_healthy().await.unwrap();
        assert_eq!((probe.is_healthy(), probe.addr()), (Some(false), None));
    }

    #[tokio::test]
    async fn a_probe_that_is_closed_undeclared_stays_undeclared() {
        let probe = Probe::new(0);
        probe.close().await;
        assert_eq!(probe.is_healthy(), None);
    }
}
