//! What the derive accepts and what it says about everything else.
//!
//! Each file in `ui/pass` is compiled and run, each file in `ui/fail` is compiled and what the compiler
//! prints is compared with the `.stderr` file beside it. Run with `TRYBUILD=overwrite` to accept new
//! messages, then read them as a user would.

use std::io::{self, Write};
use std::process::Command;
use std::{env, str};

#[test]
fn accepts_what_is_right_and_explains_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    // The wording and layout of messages change from one version of the compiler to the next, so that the
    // snapshots only hold for the version that `rust-version` in the workspace's manifest names.
    let (expected, running) = (major_minor(env!("CARGO_PKG_RUST_VERSION")), running_version());
    if running == expected {
        cases.compile_fail("tests/ui/fail/*.rs");
    } else {
        say(&format!("skipping tests/ui/fail: its snapshots are for rustc {expected}, this is {running}"));
    }
}

/// `1.95` for the rustc that cargo uses.
fn running_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("cargo has run this rustc");
    let version = str::from_utf8(&output.stdout).expect("rustc prints UTF-8");
    // rustc 1.95.0 (59807616e 2026-04-14)
    major_minor(version.split_whitespace().nth(1).expect("rustc prints its name and its version"))
}

fn major_minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Prints past the test harness, which swallows what `println!` prints in a test that passes.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "\n{line}");
}
