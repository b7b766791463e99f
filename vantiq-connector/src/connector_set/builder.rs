//! [`ConnectorSetBuilder`]: names the handlers and settings of a connector set.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{ConnectorSet, Member};
use crate::{
    ConnectorError, OverflowPolicy, ServerConfig, SourceHandler, StoreError,
    context::{Bound, Options, SetContext, Shared, SourceContext},
    delivery::{Store, StoreSettings, Window},
    erased::{ErasedSource, Of},
    transport::CustomDial,
};

/// Names the handlers and settings of a [`ConnectorSet`]. Only [`source`](Self::source) is required: the
/// settings are read from `serverConfig/server.config` or `server.config` unless given here.
pub struct ConnectorSetBuilder {
    handlers: Vec<Arc<dyn ErasedSource>>,
    settings: Settings,
    own_keys: Vec<String>,
    shared: Shared,
    options: Options,
}

/// Where the settings come from.
enum Settings {
    /// The search path of `server.config`.
    Find,
    File(PathBuf),
    Given(Box<ServerConfig>),
}

impl ConnectorSetBuilder {
    pub(super) fn new() -> Self {
        Self {
            handlers: Vec::new(),
            settings: Settings::Find,
            own_keys: Vec::new(),
            shared: Shared::default(),
            options: Options::default(),
        }
    }

    /// Serves with `H` the sources that its pattern matches.
    #[must_use]
    pub fn source<H: SourceHandler>(mut self) -> Self {
        self.handlers.push(Arc::new(Of::<H>::new()));
        self
    }

    /// Uses these settings and no file.
    #[must_use]
    pub fn config(mut self, config: ServerConfig) -> Self {
        self.settings = Settings::Given(Box::new(config));
        self
    }

    /// Reads the settings from this file.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings = Settings::File(path.into());
        self
    }

    /// Accepts `key` in `server.config` as one of the connector's own, to be read with
    /// [`ServerConfig::get`]; without this an unknown key is logged as a warning.
    #[must_use]
    pub fn own_key(mut self, key: impl Into<String>) -> Self {
        self.own_keys.push(key.into());
        self
    }

    /// Shares `value` among all sources, sessions and handlers, as [`Source::shared`](crate::Source::shared).
    /// One value of each type: the last one given stays.
    #[must_use]
    pub fn shared<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.shared_arc(Arc::new(value))
    }

    /// As [`shared`](Self::shared), for what others hold already.
    #[must_use]
    pub fn shared_arc<T: Send + Sync + 'static>(self, value: Arc<T>) -> Self {
        self.shared.insert(value);
        self
    }

    /// How many queries of one source are answered side by side; more are refused at once as
    /// [`QueryError::BUSY`](crate::QueryError::BUSY). Default 32.
    #[must_use]
    pub const fn max_queries(mut self, queries: usize) -> Self {
        self.options.max_queries = queries;
        self
    }

    /// Opens connections with `dial`, which gets host and port, and not by TCP: over a Unix socket, say, or in
    /// memory for tests with a paused clock. The settings of the proxy then mean nothing; TLS is spoken over
    /// whatever it returns, where `targetServer` says `https`.
    #[must_use]
    pub fn dial_with<F, Fut, S>(mut self, dial: F) -> Self
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        self.options.custom_dial = Some(CustomDial::new(dial));
        self
    }

    /// How long a query may go without sending data before its caller gets
    /// [`QueryError::TIMEOUT`](crate::QueryError::TIMEOUT). Default 25 s, which is less than the server's
    /// own patience.
    #[must_use]
    pub const fn query_deadline(mut self, deadline: Duration) -> Self {
        self.options.query_deadline = deadline;
        self
    }

    /// How rows are bundled into messages: at most so many in one, and none waits longer than `linger`.
    /// Default 500 rows and 100 ms.
    #[must_use]
    pub fn bundle(mut self, rows: usize, linger: Duration) -> Self {
        self.options.bundle_rows = rows.max(1);
        self.options.bundle_linger = linger;
        self
    }

    /// How many publishes of one source may wait for the handler, in messages and bytes. When they are
    /// more, nothing is read from the server until there is room. Default 256 messages or 16 MiB.
    #[must_use]
    pub const fn publish_queue(mut self, messages: usize, bytes: usize) -> Self {
        self.options.publish_queue = Bound { messages, bytes };
        self
    }

    /// How many notifications of one source may wait to be acknowledged, sent or not, in messages and
    /// bytes. Default 65,536 messages or 16 MiB.
    #[must_use]
    pub const fn outbox(mut self, messages: usize, bytes: usize) -> Self {
        self.options.outbox = Bound { messages, bytes };
        self
    }

    /// What happens to a notification when the outbox is full. Default [`OverflowPolicy::Block`].
    #[must_use]
    pub const fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.options.overflow = policy;
        self
    }

    /// How long a notification is of use: one that still waits to be sent after that time, or to be sent
    /// again, is given up, and its receipt says [`Expired`](crate::DeliveryError::Expired). By default none
    /// ever expires. [`Source::notify_within`](crate::Source::notify_within) sets it for one.
    #[must_use]
    pub const fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.options.time_to_live = Some(time_to_live);
        self
    }

    /// How many notifications may be sent and not yet acknowledged, in messages and bytes. After a lost
    /// link these are sent again. Default 32,768 messages or 12 MiB.
    #[must_use]
    pub const fn window(mut self, messages: usize, bytes: usize) -> Self {
        self.options.window = Window { messages, bytes };
        self
    }

    /// How long a handler's `connect` may take; after that it is dropped and tried again. Default 60 s.
    #[must_use]
    pub const fn connect_deadline(mut self, deadline: Duration) -> Self {
        self.options.connect_deadline = deadline;
        self
    }

    /// How long calls in flight may go on when their session ends. After that `close` may take a quarter of
    /// it. Default 20 s, and 5 s for `close`.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// How long it may take to open a WebSocket: name look-up, TCP, proxy, TLS and upgrade together.
    /// Default 15 s.
    #[must_use]
    pub const fn dial_deadline(mut self, deadline: Duration) -> Self {
        self.options.dial_deadline = deadline;
        self
    }

    /// How long the server may take to answer `validate`, and again `connectExtension`. Default 10 s.
    #[must_use]
    pub const fn step_deadline(mut self, deadline: Duration) -> Self {
        self.options.step_deadline = deadline;
        self
    }

    /// How often the server is pinged, and after how much silence it counts as dead. Default 9 s and 20 s.
    #[must_use]
    pub const fn heartbeat(mut self, interval: Duration, dead_after: Duration) -> Self {
        self.options.ping_interval = interval;
        self.options.dead_after = dead_after;
        self
    }

    /// The delays between attempts to connect: drawn evenly from nothing to a bound that begins with
    /// `first` and doubles up to `longest`. Default 500 ms and 30 s.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.options.backoff_first = first;
        self.options.backoff_longest = longest;
        self
    }

    /// How many sources may be in a handshake at once. Default 32.
    #[must_use]
    pub const fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.options.max_handshakes = if handshakes == 0 { 1 } else { handshakes };
        self
    }

    /// Draws all jitter from this seed, so that a test's run can be repeated. Not part of the API.
    #[cfg(feature = "internals")]
    #[doc(hidden)]
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.chance = crate::context::Chance::seeded(seed);
        self
    }

    /// The names that the handlers serve.
    #[cfg(feature = "simulator")]
    pub(super) fn patterns(&self) -> impl Iterator<Item = crate::SourcePattern> {
        self.handlers.iter().map(|handler| handler.pattern())
    }

    /// Reads the settings and finds the handler of each source.
    ///
    /// # Errors
    /// [`ConnectorError::Config`] and [`Connection`](ConnectorError::Connection) for a mistake in the settings, [`NoHandler`](ConnectorError::NoHandler)
    /// and [`TwoHandlers`](ConnectorError::TwoHandlers) for a source that no handler, or no single one,
    /// serves, [`Outbox`](ConnectorError::Outbox) for an outbox file that cannot be used.
    pub fn build(self) -> Result<ConnectorSet, ConnectorError> {
        self.build_on(Store::open)
    }

    /// The same, with an outbox file that `open` opens.
    pub(crate) fn build_on(
        self,
        open: impl FnOnce(&StoreSettings) -> Result<Store, StoreError>,
    ) -> Result<ConnectorSet, ConnectorError> {
        let mut config = match self.settings {
            Settings::Find => ServerConfig::find()?,
            Settings::File(path) => ServerConfig::load(path)?,
            Settings::Given(config) => *config,
        };
        config.warnings.retain(|warning| !self.own_keys.contains(&warning.key));
        let handlers: Result<Vec<_>, ConnectorError> =
            config.sources.iter().map(|name| choose(name, &self.handlers)).collect();
        let (names, handlers) = (config.sources.clone(), handlers?);
        let store = config.store.as_ref().map(open).transpose().map_err(ConnectorError::Outbox)?;
        let context = Arc::new(SetContext::new(config, self.options.clamped(), self.shared, store));
        context.dialer.check().map_err(ConnectorError::Connection)?;
        let member = |(name, handler)| Member {
            context: Arc::new(SourceContext::new(name, Arc::clone(&context))),
            handler,
        };
        let members = names.into_iter().zip(handlers).map(member).collect();
        if let Some(store) = &context.store {
            store.all_drawers_taken();
        }
        Ok(ConnectorSet { context, members })
    }
}

/// The most specific of the handlers that serve `name`.
fn choose(name: &str, handlers: &[Arc<dyn ErasedSource>]) -> Result<Arc<dyn ErasedSource>, ConnectorError> {
    let matching = || handlers.iter().filter(|handler| handler.pattern().matches(name));
    let no_handler = || ConnectorError::NoHandler { name: name.to_owned() };
    let best = matching().max_by_key(|handler| handler.pattern().rank()).ok_or_else(no_handler)?;
    let mut equals = matching().filter(|handler| handler.pattern().rank() == best.pattern().rank());
    match (equals.next(), equals.next()) {
        (Some(first), Some(second)) => Err(ConnectorError::TwoHandlers {
            name: name.to_owned(),
            first: first.type_name(),
            second: second.type_name(),
        }),
        _ => Ok(Arc::clone(best)),
    }
}

impl fmt::Debug for ConnectorSetBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers: Vec<_> = self.handlers.iter().map(|handler| handler.pattern()).collect();
        f.debug_struct("ConnectorSetBuilder")
            .field("handlers", &handlers)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
