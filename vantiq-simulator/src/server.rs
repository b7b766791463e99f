//! [`Server`]: the listener and every task behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::debug;

use crate::error::SimulatorError;
use crate::http::{Door, router};
use crate::shared::Shared;

/// A running server. Dropping it ends its tasks in their own time.
#[derive(Debug)]
pub(crate) struct Server {
    tasks: TaskTracker,
    shutdown: DropGuard,
}

impl Server {
    /// Listens and starts to serve; gives the address, too.
    pub(crate) async fn start(
        address: SocketAddr,
        shared: Arc<Shared>,
    ) -> Result<(Self, SocketAddr), SimulatorError> {
        let listen = |error| SimulatorError::listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let door = Arc::new(Door { shared, tasks: tasks.clone(), shutdown: shutdown.clone() });
        tasks.spawn(shutdown.clone().run_until_cancelled_owned(accept(listener, door)));
        Ok((Self { tasks, shutdown: shutdown.drop_guard() }, address))
    }

    /// Stops listening, closes every link and waits for all that to be done.
    pub(crate) async fn stop(self, deadline: Duration) -> Result<(), SimulatorError> {
        self.shutdown.disarm().cancel();
        self.tasks.close();
        let stopped = timeout(deadline, self.tasks.wait()).await;
        stopped.map_err(|_| SimulatorError::deadline("the links to end", deadline))
    }
}

async fn accept(listener: TcpListener, door: Arc<Door>) {
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                let serve = serve(connection, Arc::clone(&door));
                door.tasks.spawn(door.shutdown.clone().run_until_cancelled_owned(serve));
            }
            // Out of file descriptors, usually: the connection is lost, the listener is not.
            Err(error) => {
                debug!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(connection: TcpStream, door: Arc<Door>) {
    // Small messages must not wait for each other; only a dead socket refuses.
    let _ = connection.set_nodelay(true);
    let service = TowerToHyperService::new(router(door));
    let served =
        http1::Builder::new().serve_connection(TokioIo::new(connection), service).with_upgrades().await;
    if let Err(error) = served {
        debug!(%error, "connection");
    }
}
