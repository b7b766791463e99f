//! Build Vantiq connectors in Rust.
#![forbid(unsafe_code)]

pub mod protocol;
