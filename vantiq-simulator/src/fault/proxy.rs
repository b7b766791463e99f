//! [`FaultProxy`]: the handle of a running proxy, and what its tasks share.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::connection::{Connection, Pumps};
use super::cut::{CutKind, CutRecord};
use super::entrance::{RefuseBy, Wish, attend};
use super::line::{Direction, Line, Lines};
use crate::error::SimulatorError;

/// Longest wait of a test.
const DEADLINE: Duration = Duration::from_secs(10);
/// Cuts that are remembered: a run of hours with ten a second.
const CUTS_KEPT: usize = 100_000;

/// A TCP proxy on 127.0.0.1 that does to connections what networks do.
///
/// It forwards to one address, over any number of connections, and knows nothing of what it forwards: TLS is
/// as good as anything. All it does by chance follows from its [seed](Self::seed). Dropping it ends all
/// connections.
///
/// ```no_run
/// use vantiq_simulator::{CutKind, Direction, FaultProxy, Line, Simulator};
/// # use std::time::Duration;
///
/// # async fn example() -> Result<(), vantiq_simulator::SimulatorError> {
/// let simulator = Simulator::builder().any_source(true).start().await?;
/// let proxy = FaultProxy::start(simulator.addr()).await?;
/// println!("seed {}", proxy.seed());
///
/// // ... let a connector connect to `proxy.url()` instead of `simulator.url()`, then:
/// proxy.wait_connections(1).await?;
/// proxy.set_line(Direction::ToClient, Line::clear().latency(Duration::from_millis(50)).slices(1..=9));
/// let cuts = proxy.cut(CutKind::MidFrameReset).await?;
/// assert_eq!(cuts[0].connection, 1);
/// proxy.wait_connections(2).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Memory
///
/// 256 KiB are on their way at most, for each direction of a connection; a sender that is faster waits. The
/// last 100,000 cuts are remembered.
pub struct FaultProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    _tasks: DropGuard,
}

/// Decides what a [`FaultProxy`] shall be like, then [starts](Self::start) it.
#[derive(Debug)]
#[must_use]
pub struct FaultProxyBuilder {
    target: SocketAddr,
    seed: u64,
    deadline: Duration,
    lines: Lines,
}

/// What the handle, the entrance and the connections have in common.
#[derive(Debug)]
pub(super) struct Shared {
    target: SocketAddr,
    seed: u64,
    deadline: Duration,
    /// For choices of the proxy as a whole.
    rng: Mutex<StdRng>,
    lines_tx: watch::Sender<Lines>,
    pub(super) wish_tx: watch::Sender<Wish>,
    pub(super) state_tx: watch::Sender<State>,
    tasks: CancellationToken,
}

/// Everything that can be waited for.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Connections let in so far, which is also the number of the youngest.
    connections: u64,
    open: BTreeMap<u64, mpsc::UnboundedSender<CutKind>>,
    cuts: VecDeque<CutRecord>,
    pub(super) refused: u64,
    /// Serial number of the last wish that the entrance has granted.
    pub(super) granted: u64,
}

impl FaultProxy {
    /// Starts with the defaults: no faults, a random seed.
    ///
    /// # Errors
    ///
    /// As [`FaultProxyBuilder::start`].
    pub async fn start(target: SocketAddr) -> Result<Self, SimulatorError> {
        Self::builder(target).start().await
    }

    /// A proxy to this address, to be started.
    pub fn builder(target: SocketAddr) -> FaultProxyBuilder {
        FaultProxyBuilder { target, seed: rand::random(), deadline: DEADLINE, lines: Lines::default() }
    }

    /// `http://127.0.0.1:PORT`, to be used as `targetServer`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What all random choices follow from. A test should print it.
    pub fn seed(&self) -> u64 {
        self.shared.seed
    }
}

/// Faults.
impl FaultProxy {
    /// From now on, this direction of all connections is like this.
    pub fn set_line(&self, direction: Direction, line: Line) {
        self.shared.lines_tx.send_modify(|lines| lines.set(direction, line));
    }

    /// From now on, both directions of all connections are like this.
    pub fn set_lines(&self, line: &Line) {
        for direction in [Direction::ToServer, Direction::ToClient] {
            self.set_line(direction, line.clone());
        }
    }

    /// Cuts all present connections, waits until it is done, and gives the records of it.
    ///
    /// A cut in the middle of a frame waits until something is on its way to be torn, except in a black
    /// hole; a connection that ends by itself meanwhile has no record. The cuts come to pass also when
    /// nobody waits for them to the end.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when a connection is not cut in time.
    pub async fn cut(&self, kind: CutKind) -> Result<Vec<CutRecord>, SimulatorError> {
        let present = self.order(kind);
        let is_present = |number: &u64| present.binary_search(number).is_ok();
        let none_open = |proxy: &Self| !proxy.shared.state_tx.borrow().open.keys().any(is_present);
        self.wait_for("the connections to be cut", none_open).await?;
        Ok(self.cuts().into_iter().filter(|record| is_present(&record.connection)).collect())
    }

    /// [Cuts](Self::cut) all present connections in a way chosen at random.
    ///
    /// # Errors
    ///
    /// As [`cut`](Self::cut).
    pub async fn cut_at_random(&self) -> Result<Vec<CutRecord>, SimulatorError> {
        let kind = CutKind::random(&mut self.shared.rng.lock().unwrap_or_else(PoisonError::into_inner));
        self.cut(kind).await
    }

    /// Refuses new connections until [`admit`](Self::admit); returns when that is in force. Present
    /// connections stay.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    pub async fn refuse(&self, by: RefuseBy) -> Result<(), SimulatorError> {
        self.wish(Some(by), None).await
    }

    /// Like [`refuse`](Self::refuse), but lets everybody in again after this time.
    ///
    /// # Errors
    ///
    /// As [`refuse`](Self::refuse).
    pub async fn refuse_for(&self, time: Duration, by: RefuseBy) -> Result<(), SimulatorError> {
        self.wish(Some(by), Some(Instant::now() + time)).await
    }

    /// Lets new connections in; returns when that is in force.
    ///
    /// # Errors
    ///
    /// As [`refuse`](Self::refuse).
    pub async fn admit(&self) -> Result<(), SimulatorError> {
        self.wish(None, None).await
    }

    /// Tells all present connections, and gives their numbers.
    fn order(&self, kind: CutKind) -> Vec<u64> {
        let state = self.shared.state_tx.borrow();
        for cut_tx in state.open.values() {
            let _ = cut_tx.send(kind); // one that ends just now needs no cut
        }
        state.open.keys().copied().collect()
    }

    async fn wish(&self, refuse: Option<RefuseBy>, until: Option<Instant>) -> Result<(), SimulatorError> {
        let mut serial = 0;
        self.shared.wish_tx.send_modify(|wish| {
            serial = wish.serial + 1;
            *wish = Wish { serial, refuse, until };
        });
        let granted = |proxy: &Self| proxy.shared.state_tx.borrow().granted >= serial;
        self.wait_for("the entrance to change", granted).await
    }
}

/// What has come of it.
impl FaultProxy {
    /// Connections let in so far.
    pub fn connections(&self) -> u64 {
        self.shared.state_tx.borrow().connections
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.shared.state_tx.borrow().open.len()
    }

    /// Connections that were accepted and reset so far, see [`RefuseBy::Reset`].
    pub fn refused(&self) -> u64 {
        self.shared.state_tx.borrow().refused
    }

    /// The connections that were cut, in order; the last 100,000.
    pub fn cuts(&self) -> Vec<CutRecord> {
        self.shared.state_tx.borrow().cuts.iter().cloned().collect()
    }

    /// Waits until this many connections were let in, ended or not.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    pub async fn wait_connections(&self, number: u64) -> Result<(), SimulatorError> {
        self.wait_for(&format!("{number} connections"), |proxy| proxy.connections() >= number).await
    }

    /// Waits until exactly so many connections are open.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    pub async fn wait_open(&self, number: usize) -> Result<(), SimulatorError> {
        self.wait_for(&format!("{number} open connections"), |proxy| proxy.open() == number).await
    }

    /// Waits until `look` says yes; `awaited` goes into the error. It is asked again after each connection,
    /// end, cut and refusal.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when it does not come to that in time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for(
        &self,
        awaited: &str,
        mut look: impl FnMut(&Self) -> bool,
    ) -> Result<(), SimulatorError> {
        let mut state_rx = self.shared.state_tx.subscribe();
        let found = timeout(self.shared.deadline, async {
            while !look(self) {
                state_rx.changed().await.expect("`self` owns the sender");
            }
        });
        found.await.map_err(|_| SimulatorError::deadline(awaited, self.shared.deadline))
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shared, address, .. } = self;
        f.debug_struct("FaultProxy")
            .field("address", address)
            .field("target", &shared.target)
            .field("seed", &shared.seed)
            .finish_non_exhaustive()
    }
}

impl FaultProxyBuilder {
    /// What all random choices follow from. Default: a random number.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How a direction is from the beginning. Default: without faults.
    pub fn line(mut self, direction: Direction, line: Line) -> Self {
        self.lines.set(direction, line);
        self
    }

    /// How long every wait lasts at most. Default 10 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Listens on a free port and forwards, on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Listen`](crate::SimulatorErrorKind::Listen) when there is no free port.
    pub async fn start(self) -> Result<FaultProxy, SimulatorError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = |error| SimulatorError::listen(address, error);
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let tasks = CancellationToken::new();
        let shared = Arc::new(Shared {
            target: self.target,
            seed: self.seed,
            deadline: self.deadline,
            rng: Mutex::new(StdRng::seed_from_u64(self.seed)),
            lines_tx: watch::Sender::new(self.lines),
            wish_tx: watch::Sender::default(),
            state_tx: watch::Sender::default(),
            tasks: tasks.clone(),
        });
        let attend = attend(listener, address, Arc::clone(&shared));
        tokio::spawn(tasks.clone().run_until_cancelled_owned(attend));
        Ok(FaultProxy { shared, address, _tasks: tasks.drop_guard() })
    }
}

impl Shared {
    /// Lets everybody in again, unless another wish has come meanwhile.
    pub(super) fn expire(&self, serial: u64) {
        self.wish_tx.send_if_modified(|wish| {
            let is_last = wish.serial == serial;
            if is_last {
                *wish = Wish { serial: serial + 1, ..Wish::default() };
            }
            is_last
        });
    }

    /// Enters a client and begins to forward.
    pub(super) fn open(self: &Arc<Self>, client: TcpStream) {
        let (cut_tx, cuts_rx) = mpsc::unbounded_channel();
        let mut number = 0;
        self.state_tx.send_modify(|state| {
            state.connections += 1;
            number = state.connections;
            state.open.insert(number, cut_tx);
        });
        let shared = Arc::clone(self);
        let serve = async move { shared.serve(number, client, cuts_rx).await };
        tokio::spawn(self.tasks.clone().run_until_cancelled_owned(serve));
    }

    async fn serve(&self, number: u64, client: TcpStream, cuts_rx: mpsc::UnboundedReceiver<CutKind>) {
        let server = match TcpStream::connect(self.target).await {
            Ok(server) => server,
            Err(error) => {
                debug!(connection = number, %error, "the target cannot be reached");
                let _ = client.set_zero_linger(); // no loopback socket refuses
                drop(client);
                return self.state_tx.send_modify(|state| state.ended(number, None));
            }
        };
        for socket in [&client, &server] {
            let _ = socket.set_nodelay(true); // delays are the line's to choose; only a dead socket refuses
        }
        let pumps = Pumps::new(number, self.seed, &self.lines_tx.subscribe());
        Connection { number, client, server, cuts_rx, pumps }.run(&self.state_tx).await;
    }
}

impl State {
    /// Takes a connection out.
    pub(super) fn ended(&mut self, number: u64, record: Option<CutRecord>) {
        self.open.remove(&number);
        self.cuts.extend(record);
        if self.cuts.len() > CUTS_KEPT {
            self.cuts.pop_front();
        }
    }
}
