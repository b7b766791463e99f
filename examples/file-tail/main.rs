//! Follows a growing file and sends each line as an event. How far it came is stored beside the file, in
//! `<file>.offset`, only after the receipt of a line: whatever happens to the connection, the connector or
//! the machine, it goes on after the last line that is known to have arrived. A line may come twice.
//!
//! * A log that is rotated, by giving it another name in its folder and beginning a new one, is read to its
//!   end first, also when that happened while the connector was away. What is written into the old file more
//!   than a second after the new one was seen is not read. Of several rotations while the connector was away,
//!   or the server took nothing, the files between the first and the last are not read either, nor are
//!   compressed ones.
//! * A file that is cut short is read from its start. What was not read by then is gone: `copytruncate` of
//!   logrotate can lose lines. Where it has grown beyond the old length again before anybody looked, only
//!   other first 1,024 bytes tell.
//! * A line that is too large, or that the server refuses, is logged and left out.
//! * The receipt is as good as the server: one that acknowledges nothing is asked by a ping whether lines
//!   arrived, and with `sendPings=false` it cannot be asked. Then lines can be lost with a link, and the log
//!   says so.
//!
//! Run it against `vantiq-simulator --token secret`, with the settings beside this file:
//! `cargo run --example file-tail -- examples/file-tail/serverConfig/server.config`.

mod lines;
mod offset;
mod tail;

vantiq_connector::main!(tail::Tail);
