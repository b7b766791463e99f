//! The simulator as a connector meets it: real sockets, a client without any knowledge of the protocol.

mod administration;
mod check;
mod client;
mod console;
mod control;
mod expectations;
mod faults;
mod handshake;
mod network;
mod notifications;
mod queries;
mod rest;
mod rest_client;
mod scenario;
mod subscriptions;
mod takeover;
