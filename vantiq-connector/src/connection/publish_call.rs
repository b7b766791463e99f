//! One call of a handler's `publish`.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tracing::{error, warn};

use crate::{
    context::SourceContext,
    erased::{ErasedHandler, Fault},
    handler::UnhandledPublish,
    protocol::Payload,
    telemetry::worth_a_line,
};

/// Hands a publish to the handler. Whatever comes of it is logged and counted: the protocol has no way to
/// tell the publisher.
pub(super) async fn publish(context: &SourceContext, handler: &dyn ErasedHandler, object: Payload) {
    let result = AssertUnwindSafe(handler.publish(object)).catch_unwind().await;
    let failed = || context.counters.publishes_failed.add_one();
    match result {
        Ok(Ok(())) => {}
        Ok(Err(Fault::Failed(fault))) if fault.is::<UnhandledPublish>() => {
            let count = context.counters.publishes_unhandled.add_one();
            if worth_a_line(count) {
                warn!(count, "a publish was dropped: the handler does not implement `publish`");
            }
        }
        Ok(Err(Fault::Failed(fault))) => {
            failed();
            error!(error = format!("{fault:#}"), "a publish failed");
        }
        Ok(Err(Fault::Shape(shape))) => {
            failed();
            error!(error = %shape.redacted(), "a publish has not the expected shape and was dropped");
        }
        Err(_) => {
            failed();
            error!("the handler panicked in `publish`");
        }
    }
}
