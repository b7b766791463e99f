//! One source's connection, so far what decides and not yet what does.

mod backoff;
mod heartbeat;
mod retry;
mod state;
