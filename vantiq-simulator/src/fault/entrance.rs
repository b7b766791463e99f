//! The entrance of a [`FaultProxy`](crate::FaultProxy): who is let in, and how the others are turned away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::debug;

use super::proxy::Shared;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Time between two attempts to listen again.
const RETRY: Duration = Duration::from_millis(50);

/// How new connections are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefuseBy {
    /// They are accepted and reset at once, as by a load balancer without a server.
    Reset,
    /// Nobody listens, as with a server that is down. The port stays reserved.
    ClosedPort,
}

/// What was last asked of the entrance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    /// Counts the wishes, so that one can wait until they are granted.
    pub(super) serial: u64,
    pub(super) refuse: Option<RefuseBy>,
    /// When to let everybody in again.
    pub(super) until: Option<Instant>,
}

#[derive(Debug)]
enum Door {
    Open(TcpListener),
    /// The socket keeps the port, if it could be had.
    Closed(Option<TcpSocket>),
}

/// Lets clients in, or not, until the task is cancelled.
pub(super) async fn attend(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut wish_rx = shared.wish_tx.subscribe();
    let mut door = Door::Open(listener);
    loop {
        let wish = *wish_rx.borrow_and_update();
        door = match wish.refuse {
            Some(RefuseBy::ClosedPort) => door.close(address),
            _ => door.open(address).await,
        };
        shared.state_tx.send_modify(|state| state.granted = wish.serial);
        // Cancel-safe: the channel keeps its news, the listener its connections.
        tokio::select! {
            biased;
            Ok(()) = wish_rx.changed() => {}
            () = sleep_until(wish.until.unwrap_or_else(Instant::now)), if wish.until.is_some() => {
                shared.expire(wish.serial);
            }
            accepted = door.accept() => match accepted {
                Ok(client) if wish.refuse.is_some() => turn_away(&client, &shared),
                Ok(client) => shared.open(client),
                // Out of file descriptors, usually: the connection is lost, the listener is not.
                Err(error) => {
                    debug!(%error, "accept");
                    sleep(RETRY).await;
                }
            },
        }
    }
}

fn turn_away(client: &TcpStream, shared: &Shared) {
    let _ = client.set_zero_linger(); // no loopback socket refuses
    shared.state_tx.send_modify(|state| state.refused += 1);
}

impl Door {
    fn close(self, address: SocketAddr) -> Self {
        match self {
            // The listener goes before the other socket takes its port.
            Self::Open(listener) => {
                drop(listener);
                Self::Closed(reserve(address).ok())
            }
            closed @ Self::Closed(_) => closed,
        }
    }

    async fn open(self, address: SocketAddr) -> Self {
        let Self::Closed(mut reserved) = self else { return self };
        loop {
            let socket = reserved.take().map_or_else(|| reserve(address), Ok);
            match socket.and_then(|socket| socket.listen(BACKLOG)) {
                Ok(listener) => return Self::Open(listener),
                Err(error) => debug!(%error, "listen"),
            }
            sleep(RETRY).await;
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => listener.accept().await.map(|(client, _)| client),
            Self::Closed(_) => std::future::pending().await,
        }
    }
}

/// Binds the port without listening.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Connections of before may still use the port. Windows allows that anyway, and means more by the option.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
