//! The outbox file, or changes of a genuine one: see `vantiq_connector::fuzzing::outbox_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vantiq_connector::fuzzing::outbox_file(data));
