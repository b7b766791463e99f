//! [`SimulatorBuilder`]: everything that is decided before the simulator starts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::acknowledge::{Acknowledge, AcknowledgeOrder};
use crate::error::{SimulatorError, SimulatorErrorKind};
#[cfg(feature = "kept-token")]
use crate::kept_token::{Keeping, TokenFile};
use crate::ledger::TimerRestart;
use crate::recording::FrameKind;
use crate::registry::Registry;
use crate::server::Server;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::simulator::Simulator;

/// Collects what the simulator shall be like, then [starts](Self::start) it.
pub struct SimulatorBuilder {
    settings: Settings,
    sources: Vec<(String, Value)>,
    address: IpAddr,
    port: u16,
    token_origin: TokenOrigin,
}

/// Where the access token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenOrigin {
    Random,
    Given,
    #[cfg(feature = "kept-token")]
    Kept,
}

impl fmt::Debug for SimulatorBuilder {
    /// Without the configuration documents, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut builder = f.debug_struct("SimulatorBuilder");
        builder.field("settings", &self.settings).field("address", &self.address).field("port", &self.port);
        builder.finish_non_exhaustive()
    }
}

impl Default for SimulatorBuilder {
    fn default() -> Self {
        let address = Ipv4Addr::LOCALHOST.into();
        let token_origin = TokenOrigin::Random;
        Self { settings: Settings::default(), sources: Vec::new(), address, port: 0, token_origin }
    }
}

impl SimulatorBuilder {
    /// A source of this name exists, with this configuration document (`object.config`).
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, configuration: impl Into<Value>) -> Self {
        self.sources.push((name.into(), configuration.into()));
        self
    }

    /// Whether a source of any other name exists too, with `{}` as its configuration. Default `false`.
    #[must_use]
    pub fn any_source(mut self, accept: bool) -> Self {
        self.settings.any_source = accept;
        self
    }

    /// The access token that `validate` must present. Default: a random one.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.settings.token = token.into();
        self.token_origin = TokenOrigin::Given;
        self
    }

    /// Uses the access token that is kept for the port, unless [`token`](Self::token) gives one; see
    /// [`kept_token`](fn@crate::kept_token) for where. One that is made now is kept there: for good where the port was
    /// chosen, and as long as the simulator lives where it took a free one.
    ///
    /// A token that cannot be kept, or that others could read, is a warning in the log: there is a new one then.
    #[cfg(feature = "kept-token")]
    #[must_use]
    pub fn kept_token(mut self) -> Self {
        if self.token_origin != TokenOrigin::Given {
            self.token_origin = TokenOrigin::Kept;
        }
        self
    }

    /// A user and a password, with which `authenticate` and `GET /authenticate` are accepted. Default: both are
    /// refused.
    #[must_use]
    pub fn login(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.login = Some((username.into(), password.into()));
        self
    }

    /// The port. Default 0: a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen at. Default 127.0.0.1; any that others can reach needs
    /// [`allow_remote`](Self::allow_remote).
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Whether others than this machine may be served. Default `false`: then requests are refused whose `Host` is
    /// not this machine, as a web page elsewhere can make a browser send them.
    #[must_use]
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.settings.allow_remote = allow;
        self
    }

    /// Whether to send text frames. Default `false`: binary ones, like a real server.
    #[must_use]
    pub fn text_frames(mut self, text: bool) -> Self {
        self.settings.frames = if text { FrameKind::Text } else { FrameKind::Binary };
        self
    }

    /// What is acknowledged. Default [`Acknowledge::NotificationsOnly`].
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: Acknowledge) -> Self {
        self.settings.acknowledge = acknowledge;
        self
    }

    /// How many bare `{"status":200}` go with each `configureExtension`, and where. Default none;
    /// [`Acknowledge::Everything`] sends at least one.
    #[must_use]
    pub fn connect_acknowledgements(mut self, number: usize, order: AcknowledgeOrder) -> Self {
        self.settings.connect_acknowledgements = (number, order);
        self
    }

    /// Whether `parameters.requestId` comes back as `headers.X-Request-Id` in acknowledgements and
    /// refusals. Default `false`; answers to `validate` always have it.
    #[must_use]
    pub fn request_id_headers(mut self, echo: bool) -> Self {
        self.settings.request_id_headers = echo;
        self
    }

    /// Whether a refused `validate` or `connectExtension` also closes the WebSocket. Default `false`.
    #[must_use]
    pub fn close_after_refusal(mut self, close: bool) -> Self {
        self.settings.close_after_refusal = close;
        self
    }

    /// How long a query waits for an answer since the last data. Default 33.75 s.
    #[must_use]
    pub fn query_timeout(mut self, timeout: Duration) -> Self {
        self.settings.query_timeout = timeout;
        self
    }

    /// Whether a status 100 *without* data restarts the query timeout too. Default `false`.
    #[must_use]
    pub fn empty_partials_restart_timeout(mut self, restart: bool) -> Self {
        self.settings.timer_restart = if restart { TimerRestart::Always } else { TimerRestart::WithData };
        self
    }

    /// Size above which a message of a connector is answered with status 500. Default 262,144 bytes.
    ///
    /// From 16 MiB on, the WebSocket is closed instead.
    #[must_use]
    pub fn inbound_limit(mut self, bytes: usize) -> Self {
        self.settings.inbound_limit = bytes;
        self
    }

    /// Whether the WebSocket is closed with status 1009 above that size. Default `false`.
    #[must_use]
    pub fn close_oversized(mut self, close: bool) -> Self {
        self.settings.close_oversized = close;
        self
    }

    /// Whether a link that holds a source is refused a second one. Default `false`.
    #[must_use]
    pub fn one_source_per_link(mut self, refuse: bool) -> Self {
        self.settings.one_source_per_link = refuse;
        self
    }

    /// Whether an answer to a query that has timed out is answered with an error. Default `false`: it is ignored.
    #[must_use]
    pub fn refuse_late_answers(mut self, refuse: bool) -> Self {
        self.settings.refuse_late_answers = refuse;
        self
    }

    /// Whether events must be objects, so that a list or a text is refused. Default `false`: an event may be any JSON,
    /// and a list is one event.
    #[must_use]
    pub fn only_objects(mut self, refuse: bool) -> Self {
        self.settings.only_objects = refuse;
        self
    }

    /// Sends a WebSocket ping to every connector so often. Default: never.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.settings.ping_interval = Some(interval);
        self
    }

    /// Closes a link with status 1001 when its connector has sent nothing for so long, not even a ping or a pong, which
    /// frees its source for another. Default: never.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = Some(timeout);
        self
    }

    /// How many bytes the parts of one answer may have that wait for who asked, or are kept for the whole reply. Default
    /// 64 MiB. Beyond that the query ends with [`AnswerTooLarge`](crate::SimulatorErrorKind::AnswerTooLarge).
    #[must_use]
    pub fn answer_limit(mut self, bytes: usize) -> Self {
        self.settings.answer_limit = bytes;
        self
    }

    /// How many bytes of messages of both directions are kept, for [`Simulator::received`] and
    /// [`Source::notifications`](crate::Source::notifications); the oldest go first. Default 1 GiB. What is noted
    /// of each message, about 160 bytes, counts.
    #[must_use]
    pub fn recording_limit(mut self, bytes: usize) -> Self {
        self.settings.recording_limit = bytes;
        self
    }

    /// How long every wait of this crate lasts at most, except for queries. Default 10 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline;
        self
    }

    /// Listens and serves, on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Listen`](crate::SimulatorErrorKind::Listen) when the port is taken,
    /// [`Remote`](crate::SimulatorErrorKind::Remote) when the address can be reached by others and that is not allowed.
    #[cfg_attr(not(feature = "kept-token"), expect(unused_mut, reason = "nothing is recalled then"))]
    pub async fn start(mut self) -> Result<Simulator, SimulatorError> {
        if !(self.address.is_loopback() || self.settings.allow_remote) {
            return Err(SimulatorErrorKind::Remote { address: self.address }.into());
        }
        #[cfg(feature = "kept-token")]
        let keeping = self.keeping();
        let settings = Arc::new(self.settings);
        let registry = Registry::new(Arc::clone(&settings), self.sources);
        let shared = Arc::new(Shared::new(settings, registry));
        let address = SocketAddr::from((self.address, self.port));
        let (server, address) = Server::start(address, Arc::clone(&shared)).await?;
        let simulator = Simulator::new(shared, server, address);
        #[cfg(feature = "kept-token")]
        let simulator = simulator.keeping_token(keeping);
        Ok(simulator)
    }

    /// Recalls the token if one is kept, and says what is to be done with it once the port is taken.
    #[cfg(feature = "kept-token")]
    fn keeping(&mut self) -> Keeping {
        match (self.token_origin, self.port) {
            (TokenOrigin::Random | TokenOrigin::Given, _) => Keeping::Nothing,
            (TokenOrigin::Kept, 0) => Keeping::ForNow,
            (TokenOrigin::Kept, port) => match TokenFile::of_port(port).and_then(|file| file.recall()) {
                Some(token) => {
                    self.settings.token = token;
                    Keeping::Nothing
                }
                None => Keeping::ForGood,
            },
        }
    }
}
