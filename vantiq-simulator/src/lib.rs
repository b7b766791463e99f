//! A Vantiq server on your desk.
#![forbid(unsafe_code)]
