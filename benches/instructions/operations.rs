//! All that is counted: single parts of the connector, and whole paths from frame to frame.

use bytes::Bytes;
use vantiq_connector::{internals::pieces, protocol::Inbound};
use vantiq_connector_tests::{Operation as Path, Workbench, dialogue};

/// What is counted, and the function that does it so many times.
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) perform: fn(usize),
    /// How often in the longer run: so often that the order of chance does not show.
    pub(crate) many: usize,
}

const fn part(name: &'static str, perform: fn(usize)) -> Operation {
    Operation { name, perform, many: 20_000 }
}

const fn path(name: &'static str, perform: fn(usize)) -> Operation {
    Operation { name, perform, many: 10_000 }
}

pub(crate) const OPERATIONS: &[Operation] = &[
    part("envelope of a publish, 100 B", |times| decode(&dialogue::publish(&object(100)), times)),
    part("envelope of a query", |times| decode(&dialogue::query("an-address", "{}"), times)),
    part("ledger: sent and acknowledged", pieces::ledger),
    part("outbox: accepted, taken, resolved", pieces::outbox),
    part("row of 100 B into a bundle", |times| pieces::bundle(times, &"x".repeat(98))),
    path("publish, 100 B", |times| Workbench::new().perform(Path::Publish(100), times)),
    path("publish, 1 KiB", |times| Workbench::new().perform(Path::Publish(1 << 10), times)),
    path("query, 1 at once", |times| Workbench::new().perform(Path::Query(1), times)),
    path("query, 16 at once", |times| Workbench::new().perform(Path::Query(16), times)),
    part("row streamed, 100 in a partial answer", |times| Workbench::new().perform(Path::Row, times)),
    path("notification, 100 B", |times| Workbench::new().perform(Path::Notification(100), times)),
    path("notification, 1 KiB", |times| Workbench::new().perform(Path::Notification(1 << 10), times)),
];

fn decode(message: &str, times: usize) {
    let frame = Bytes::copy_from_slice(message.as_bytes());
    for _ in 0..times {
        std::hint::black_box(Inbound::decode(&frame)).expect("a message");
    }
}

fn object(bytes: usize) -> String {
    format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes.saturating_sub(r#"{"text":""}"#.len())))
}
