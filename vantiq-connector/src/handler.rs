//! What a connector author writes: [`VantiqSource`] says which sources a type serves, [`SourceHandler`]
//! what it does with their messages.
//!
//! `#[derive(VantiqSource)]` writes the first; the second is written by hand, with plain `async fn`.

use std::future::Future;

use serde::de::DeserializeOwned;

use crate::{Answer, QueryError, Result, Rows, Source, SourcePattern};

/// Which sources a handler serves and what its messages look like.
///
/// Derive it: `#[derive(VantiqSource)] #[vantiq_source("name", config = T, publish = T, query = T)]`. The
/// derive expands to nothing but this impl, so it may as well be written by hand:
///
/// ```
/// use vantiq_connector::{SourcePattern, VantiqSource};
///
/// struct Camera;
///
/// impl VantiqSource for Camera {
///     const PATTERN: SourcePattern = SourcePattern::new("camera-*");
///     type Config = serde_json::Value;
///     type Publish = serde_json::Value;
///     type Query = serde_json::Value;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which Vantiq source it serves",
    label = "put `#[derive(VantiqSource)]` above `#[vantiq_source(..)]`",
    note = "`#[vantiq_source(\"name\")]` names the source, and the types of its configuration, publishes and queries"
)]
pub trait VantiqSource: Sized + Send + Sync + 'static {
    /// The sources this handler serves: one name, a pattern with `*`, or any.
    const PATTERN: SourcePattern;
    /// Whether the handler, and what it spawned, outlives a lost link: `persistent` in the attribute. It then goes on
    /// where the server sends an equal configuration afterwards; otherwise every session is a new handler.
    const PERSISTENT: bool = false;
    /// The source's configuration document (`configureExtension.object.config`).
    type Config: DeserializeOwned + Send + 'static;
    /// The `object` of a `publish`.
    type Publish: DeserializeOwned + Send + 'static;
    /// The `object` of a `query`, which is the `WITH` clause of the VAIL `SELECT`.
    type Query: DeserializeOwned + Send + 'static;
}

/// What a connector does with the messages of one source.
///
/// One value of the implementing type lives exactly as long as one *session*: from the configuration
/// that [`connect`](Self::connect) received until the source closes, reconnects or is reconfigured. A
/// [persistent](VantiqSource::PERSISTENT) one outlives a lost link. State that must outlive a session goes into
/// [`Source::shared`].
///
/// Every method runs in a task of its own, apart from the loop that moves frames: a slow, failing or
/// panicking handler delays nobody else. Code that blocks its thread belongs in
/// `tokio::task::spawn_blocking`, as everywhere in tokio: a blocked thread may hold up the very task that
/// would send what the handler said before, and no deadline can end it.
///
/// Where a payload does not fit its type, the error names the field. Behind `#[serde(tag = "..")]` and
/// `#[serde(untagged)]` serde forgets the path, and the error says only what was expected.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle a Vantiq source",
    label = "implement `SourceHandler` for `{Self}`; only `connect` is required"
)]
pub trait SourceHandler: VantiqSource {
    /// Builds the handler from the configuration the server sent, of the type `config = ..` in the attribute.
    ///
    /// Runs before any publish or query of the session is handled; those that arrive meanwhile wait.
    /// Notifications sent from here queue and leave in order.
    ///
    /// # Errors
    /// Any error is logged and `connect` is tried again with the same configuration after a growing delay;
    /// queries are answered with the error until it succeeds. A configuration of the wrong shape never
    /// gets here: it is logged with the path of the wrong field and answered to every query.
    fn connect(source: Source, config: Self::Config) -> impl Future<Output = Result<Self>> + Send;

    /// Handles one `publish`, of the type `publish = ..` in the attribute. Publishes are handled one at a time,
    /// in the order of the wire.
    ///
    /// By default the message is logged as unhandled and counted.
    ///
    /// # Errors
    /// An error is logged and counted. The protocol has no way to tell the publisher.
    fn publish(&self, message: Self::Publish) -> impl Future<Output = Result<()>> + Send {
        let _ = message;
        async { Err(UnhandledPublish.into()) }
    }

    /// Answers one `query`, of the type `query = ..` in the attribute. Queries run side by side, and beside
    /// publishes, up to a bound.
    ///
    /// Partial rows go through `rows`; the return value is the one terminal answer. By default the caller
    /// gets the error [`QueryError::UNHANDLED`].
    ///
    /// # Errors
    /// A [`QueryError`] anywhere in the chain reaches the caller as it is; of any other error the caller
    /// gets the topmost message under [`QueryError::FAILED`], and the log the whole chain.
    fn query(&self, query: Self::Query, rows: &mut Rows) -> impl Future<Output = Result<Answer>> + Send {
        let _ = (query, rows);
        async { Err(QueryError::unhandled().into()) }
    }

    /// Lets go of what [`connect`](Self::connect) took. Runs after the last call of the session has ended,
    /// also when the session ended because the link was lost. By default does nothing.
    fn close(self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What the default [`SourceHandler::publish`] returns.
#[derive(Debug, thiserror::Error)]
#[error("the handler does not implement `publish`")]
pub(crate) struct UnhandledPublish;
