//! The derive macro of `vantiq-connector`.
#![forbid(unsafe_code)]
