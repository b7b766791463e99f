//! [`Simulator`]: the running server as a test or a person sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::builder::SimulatorBuilder;
use crate::cut::{Cut, LinkEnd};
use crate::error::SimulatorError;
#[cfg(feature = "kept-token")]
use crate::kept_token::{Keeping, TokenLease};
use crate::link::Order;
use crate::recording::Received;
use crate::server::Server;
use crate::shared::Shared;
use crate::source::Source;
use crate::upgrade::UpgradeReply;
use crate::validation::ValidateReply;

/// A Vantiq server for connectors to connect to.
///
/// Dropping it ends everything; [`stop`](Self::stop) also waits for that.
pub struct Simulator {
    shared: Arc<Shared>,
    server: Mutex<Option<Server>>,
    address: SocketAddr,
    /// Held for what its end does.
    #[cfg(feature = "kept-token")]
    _lease: Option<TokenLease>,
}

impl fmt::Debug for Simulator {
    /// The address alone: the recording holds tokens and configurations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Simulator {
    /// Starts with the defaults: no sources, a random token, a free port on 127.0.0.1.
    pub fn builder() -> SimulatorBuilder {
        SimulatorBuilder::default()
    }

    pub(crate) fn new(shared: Arc<Shared>, server: Server, address: SocketAddr) -> Self {
        Self {
            shared,
            server: Mutex::new(Some(server)),
            address,
            #[cfg(feature = "kept-token")]
            _lease: None,
        }
    }

    /// Keeps the token for the port that it has.
    #[cfg(feature = "kept-token")]
    pub(crate) fn keeping_token(self, keeping: Keeping) -> Self {
        let lease = keeping.keep(self.address.port(), self.token());
        Self { _lease: lease, ..self }
    }

    /// `http://127.0.0.1:PORT`, to be used as `targetServer`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens; stays the same over [`restart`](Self::restart).
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The access token that connectors must present.
    pub fn token(&self) -> &str {
        &self.shared.settings.token
    }

    /// Where a browser shows the console. Has the access token, which the page takes out of the address.
    pub fn console_url(&self) -> String {
        // A plus sign in it is a space only in forms.
        let token: String = form_urlencoded::byte_serialize(self.token().as_bytes()).collect();
        format!("{}/#token={}", self.url(), token.replace('+', "%20"))
    }

    /// The text of a `server.config` for a connector to all listed sources (PROTOCOL section 12).
    pub fn server_config(&self) -> String {
        let sources = self.shared.read(|world| world.registry.listed());
        let sources = if sources.is_empty() { "mySource".to_owned() } else { sources.join(",") };
        let token = self.token().replace('\\', "\\\\");
        format!("targetServer={}\nauthToken={token}\nsources={sources}\n", self.url())
    }

    /// A handle to the source of this name, which need not exist yet.
    pub fn source(&self, name: impl AsRef<str>) -> Source {
        Source::new(Arc::clone(&self.shared), name.as_ref())
    }

    /// Everything received so far over all links, within the recording limit.
    pub fn received(&self) -> Vec<Received> {
        self.shared.read(|world| world.recording.received())
    }

    /// What connectors did that the protocol forbids: a second terminal answer, an answer to an unknown
    /// address, unreadable messages, unknown operations, messages before `validate`. A test of a connector
    /// should end by finding this empty. The last 1,000 are kept.
    pub fn violations(&self) -> Vec<String> {
        self.shared.read(|world| world.registry.violations.iter().cloned().collect())
    }

    /// Links (open WebSocket connections) at this moment.
    pub fn links(&self) -> usize {
        self.shared.read(|world| world.links.len())
    }

    /// Links opened so far, which is also the number of the youngest one.
    pub fn links_opened(&self) -> u64 {
        self.shared.read(|world| world.opened)
    }

    /// WebSocket upgrades asked for so far, on any path and whatever was answered.
    pub fn dials(&self) -> u64 {
        self.shared.read(|world| world.dials)
    }

    /// WebSocket pings received so far.
    pub fn pings(&self) -> u64 {
        self.shared.read(|world| world.pings)
    }

    /// How links ended, in order; the last 10,000.
    pub fn link_ends(&self) -> Vec<LinkEnd> {
        self.shared.read(|world| world.ends.iter().cloned().collect())
    }

    /// From now on, answer upgrades like this.
    pub fn on_upgrade(&self, reply: UpgradeReply) {
        self.shared.change(|world| world.on_upgrade.always(reply));
    }

    /// Answer the next upgrades like this, then as before.
    pub fn on_next_upgrades(&self, times: usize, reply: UpgradeReply) {
        self.shared.change(|world| world.on_upgrade.then(times, &reply));
    }

    /// From now on, answer `validate` and `authenticate` like this.
    pub fn on_validate(&self, reply: ValidateReply) {
        self.shared.change(|world| world.registry.on_validate.always(reply));
    }

    /// Answer the next `validate` or `authenticate` messages like this, then as before.
    pub fn on_next_validates(&self, times: usize, reply: &ValidateReply) {
        self.shared.change(|world| world.registry.on_validate.then(times, reply));
    }

    /// Waits until `look` says yes; `awaited` goes into the error. It is asked again after each change of
    /// the simulator's state.
    ///
    /// ```
    /// # async fn example(simulator: vantiq_simulator::Simulator) -> Result<(), vantiq_simulator::SimulatorError> {
    /// simulator.wait_for("a second dial", |simulator| simulator.dials() >= 2).await?;
    /// # Ok(())
    /// # }
    /// ```
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
        self.shared.wait_outside(awaited, || look(self).then_some(())).await
    }

    /// Ends all open links, also those whose connector has not asked for a source yet, and waits for that.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when a link does not end in time.
    pub async fn cut_links(&self, cut: Cut) -> Result<(), SimulatorError> {
        let links: Vec<_> = self.shared.read(|world| world.links.keys().copied().collect());
        for link in &links {
            self.shared.order(*link, Order::Cut(cut));
        }
        let all_ended =
            |world: &mut crate::shared::World| !links.iter().any(|link| world.links.contains_key(link));
        self.shared.wait("the links to end", |world| all_ended(world).then_some(())).await
    }

    /// Stops listening and closes all links with status 1001. What was recorded and configured stays.
    ///
    /// # Errors
    ///
    /// [`Deadline`](crate::SimulatorErrorKind::Deadline) when a link does not end in time.
    pub async fn stop(&self) -> Result<(), SimulatorError> {
        let server = self.server().take();
        match server {
            Some(server) => server.stop(self.shared.settings.deadline).await,
            None => Ok(()),
        }
    }

    /// Stops if need be, then listens on the same port again.
    ///
    /// # Errors
    ///
    /// As [`stop`](Self::stop), and [`Listen`](crate::SimulatorErrorKind::Listen) when somebody else has
    /// taken the port.
    pub async fn restart(&self) -> Result<(), SimulatorError> {
        self.stop().await?;
        let (server, _) = Server::start(self.address, Arc::clone(&self.shared)).await?;
        *self.server() = Some(server);
        Ok(())
    }

    fn server(&self) -> std::sync::MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
