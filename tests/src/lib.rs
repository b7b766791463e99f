//! What the whole-path tests share.
#![forbid(unsafe_code)]
