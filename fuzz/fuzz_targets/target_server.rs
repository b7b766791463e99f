//! The value of `targetServer`: see `vantiq_connector::fuzzing::target_server`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vantiq_connector::fuzzing::target_server(data));
