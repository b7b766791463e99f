//! One call of a handler's `publish`.

use tracing::{error, warn};

use crate::{
    contain::Contained,
    context::SourceContext,
    erased::{ErasedHandler, Fault},
    protocol::Payload,
};

/// Hands a publish to the handler. Whatever comes of it is logged and counted: the protocol has no way to
/// tell the publisher.
pub(super) async fn publish(context: &SourceContext, handler: &dyn ErasedHandler, object: Payload) {
    let unfinished = Unfinished(Some(context));
    let result = Contained::new(handler.publish(object)).await;
    unfinished.finish();
    match result {
        Ok(Ok(())) => {}
        Ok(Err(Fault::Failed(failure))) if failure.is_unhandled => {
            if let Some(count) = context.counters.publishes_unhandled.add_for_a_line(1) {
                warn!(count, "a publish was dropped: the handler does not implement `publish`");
            }
        }
        Ok(Err(fault)) => failed(context, &why(&fault)),
        Err(_) => failed(context, "the handler panicked in `publish`"),
    }
}

fn why(fault: &Fault) -> String {
    match fault {
        Fault::Failed(failure) => failure.chain.clone(),
        Fault::Shape(shape) => format!("it has not the expected shape: {}", shape.redacted()),
    }
}

fn failed(context: &SourceContext, why: &str) {
    if let Some(count) = context.counters.publishes_failed.add_for_a_line(1) {
        error!(error = why, count, "a publish failed");
    }
}

/// A call under way. Dropped before its end, for the grace of its session is over, it counts as failed.
struct Unfinished<'a>(Option<&'a SourceContext>);

impl Unfinished<'_> {
    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(context) = self.0 {
            context.cut_off(|counters| &counters.publishes_abandoned);
            failed(context, "the grace of the session is over");
        }
    }
}
