//! The object-safe twin of [`SourceHandler`], so that handlers of different types run side by side.
//!
//! Users see native `async fn`; in here the futures are boxed and payloads are still JSON. Parsing happens
//! here, in the task of the call and not in the loop that reads frames.

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use async_trait::async_trait;

use crate::{
    Answer, QueryError, Rows, Source, SourceHandler, SourcePattern, VantiqSource,
    connection::{Publishes, serve},
    contain::contain,
    context::SourceContext,
    handler::UnhandledPublish,
    protocol::{Payload, ShapeError},
};

/// Makes handlers of one type.
#[async_trait]
pub(crate) trait ErasedSource: Send + Sync {
    fn pattern(&self) -> SourcePattern;

    /// Whether a handler outlives its link.
    fn is_persistent(&self) -> bool;

    /// The name of the handler's type, for messages to its author.
    fn type_name(&self) -> &'static str;

    async fn connect(&self, source: Source, config: Payload) -> Result<Arc<dyn ErasedHandler>, Fault>;
}

/// A handler of any type.
#[async_trait]
pub(crate) trait ErasedHandler: Send + Sync {
    /// Handles publishes until no more can come. One future for all: a box for each would cost more than many of them
    /// do.
    async fn serve(&self, context: &SourceContext, publishes: &Publishes);

    /// Borrows nothing, so that it can go on in another task.
    async fn query(self: Arc<Self>, object: Payload, rows: Rows) -> Result<Answer, Fault>;

    /// Consumes the handler. Returns `false` where a call still holds it, so that it cannot be consumed.
    async fn close(self: Arc<Self>) -> bool;
}

/// A call under way.
pub(crate) type Calling<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

/// Why a call had no result.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The payload is not what the handler's type expects.
    Shape(ShapeError),
    /// The handler returned an error.
    Failed(Failure),
}

/// All that anybody wants to know of an error of a handler. The error itself, which may panic when it is shown or
/// dropped, does not leave the call.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the caller of a query gets to see.
    pub(crate) answer: QueryError,
    /// The topmost message.
    pub(crate) text: String,
    /// The messages of all its causes.
    pub(crate) chain: String,
    /// Whether the handler does not implement `publish`.
    pub(crate) is_unhandled: bool,
}

impl Fault {
    #[expect(clippy::needless_pass_by_value, reason = "it is dropped here, where the handler is called")]
    pub(crate) fn failed(error: anyhow::Error) -> Self {
        Self::Failed(Failure {
            answer: QueryError::of(&error),
            text: error.to_string(),
            chain: format!("{error:#}"),
            is_unhandled: error.is::<UnhandledPublish>(),
        })
    }
}

/// The twin of the type `H`.
pub(crate) struct Of<H>(PhantomData<fn() -> H>);

impl<H> Of<H> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<H: SourceHandler> ErasedSource for Of<H> {
    fn pattern(&self) -> SourcePattern {
        <H as VantiqSource>::PATTERN
    }

    fn is_persistent(&self) -> bool {
        <H as VantiqSource>::PERSISTENT
    }

    fn type_name(&self) -> &'static str {
        std::any::type_name::<H>()
    }

    async fn connect(&self, source: Source, config: Payload) -> Result<Arc<dyn ErasedHandler>, Fault> {
        // The document may hold secrets, so its values stay out of every message.
        let config = config.parse().map_err(|error| Fault::Shape(error.redacted()))?;
        let handler = H::connect(source, config).await.map_err(Fault::failed)?;
        Ok(Arc::new(Adapter(Some(handler))))
    }
}

/// A handler; `None` only while it is dropped or consumed.
struct Adapter<H>(Option<H>);

impl<H> Adapter<H> {
    const fn handler(&self) -> &H {
        self.0.as_ref().expect("only `close` and `drop` take the handler")
    }
}

impl<H> Drop for Adapter<H> {
    /// Whoever drops the last of them is not to blame for what the handler does then.
    fn drop(&mut self) {
        let _ = contain(|| drop(self.0.take()));
    }
}

#[async_trait]
impl<H: SourceHandler> ErasedHandler for Adapter<H> {
    async fn serve(&self, context: &SourceContext, publishes: &Publishes) {
        let publish = |object: Payload| async move {
            let message = object.parse().map_err(Fault::Shape)?;
            self.handler().publish(message).await.map_err(Fault::failed)
        };
        serve(context, publishes, publish).await;
    }

    async fn query(self: Arc<Self>, object: Payload, mut rows: Rows) -> Result<Answer, Fault> {
        let query = object.parse().map_err(Fault::Shape)?;
        self.handler().query(query, &mut rows).await.map_err(Fault::failed)
    }

    async fn close(self: Arc<Self>) -> bool {
        let Some(mut adapter) = Arc::into_inner(self) else { return false };
        if let Some(handler) = adapter.0.take() {
            handler.close().await;
        }
        true
    }
}
