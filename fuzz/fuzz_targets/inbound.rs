//! A frame of the server: see `vantiq_connector::fuzzing::inbound`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vantiq_connector::fuzzing::inbound(data));
