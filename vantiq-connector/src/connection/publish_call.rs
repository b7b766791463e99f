//! Publishes handed to a handler, one after the other.

use tracing::{error, warn};

use super::publish_queue::Publishes;
use crate::{
    contain::{Contained, Panicked},
    context::SourceContext,
    erased::Fault,
    protocol::Payload,
};

/// Calls the handler for one publish after the other until no more can come. Whatever comes of a call is logged and
/// counted: the protocol has no way to tell the publisher.
pub(crate) async fn serve<Call>(
    context: &SourceContext,
    publishes: &Publishes,
    publish: impl Fn(Payload) -> Call,
) where
    Call: Future<Output = Result<(), Fault>>,
{
    while let Some((object, room)) = publishes.next().await {
        let unfinished = Unfinished(Some(context));
        let result = Contained::new(publish(object)).await;
        unfinished.finish();
        ended(context, result);
        drop(room);
    }
}

fn ended(context: &SourceContext, result: Result<Result<(), Fault>, Panicked>) {
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
