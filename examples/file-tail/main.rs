//! Follows a growing file and sends each line as an event. Where it stopped is remembered only after the server
//! has acknowledged a line: whatever happens to the connector, no line is lost.
//!
//! Run it against `vantiq-simulator --token secret`, with the settings beside this file:
//! `cargo run --example file-tail -- examples/file-tail/serverConfig/server.config`.

mod offset;
mod tail;

vantiq_connector::main!(tail::Tail);
