//! One connector per example; see the folders beside this file.
#![forbid(unsafe_code)]
