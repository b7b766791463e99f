//! The text of a `server.config`: see `vantiq_connector::fuzzing::server_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vantiq_connector::fuzzing::server_config(data));
