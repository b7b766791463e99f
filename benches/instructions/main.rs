//! How many instructions an operation takes: `cargo bench -p vantiq-connector-benches --bench instructions`.
//!
//! Other than time, their number hardly depends on what else the machine does. So it is compared with the figures in
//! `expected.txt` here, and one that is off by more than [`TOLERANCE`] fails, be it for the better: `--bless` writes
//! what was counted. Figures depend on the compiler, the C library, and the instruction sets that these choose for a
//! processor.
//!
//! This program runs itself under callgrind, which counts, once with few operations and once with many; what the
//! start costs is in both, so the difference is that of the operations. It needs valgrind.
//!
//! Words on the command line choose the operations whose names hold one of them. Without `--bench`, as by `cargo test`,
//! each is only done, without valgrind.
#![forbid(unsafe_code)]

mod callgrind;
mod expected;
mod operations;

use std::{env, fmt::Write as _, process::ExitCode};

use anyhow::{Result, bail, ensure};

use expected::Expected;
use operations::{OPERATIONS, Operation};

/// How far a figure may be from what is expected, as a part of it.
const TOLERANCE: f64 = 0.05;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match callgrind::order().map_or_else(|| run(&arguments), |order| order.and_then(perform)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what is counted.
fn perform((name, times): (String, usize)) -> Result<()> {
    let Some(operation) = OPERATIONS.iter().find(|operation| operation.name == name) else {
        bail!("there is no operation `{name}`");
    };
    (operation.perform)(times);
    Ok(())
}

fn run(arguments: &[String]) -> Result<()> {
    let has = |switch: &str| arguments.iter().any(|argument| argument == switch);
    let words: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |operation: &&Operation| words.is_empty() || words.iter().any(|word| operation.name.contains(*word));
    let operations: Vec<_> = OPERATIONS.iter().filter(is_wanted).collect();
    ensure!(!operations.is_empty(), "no operation has one of these words in its name: {words:?}");
    if !has("--bench") {
        for operation in operations {
            (operation.perform)(operation.many / 20);
        }
        return Ok(());
    }
    compare(&operations, has("--bless"))
}

/// Counts, and compares with what is expected.
fn compare(operations: &[&Operation], blesses: bool) -> Result<()> {
    let mut expected = Expected::read()?;
    println!("| operation | instructions | expected | change |\n|---|---|---|---|");
    let mut off = String::new();
    for Operation { name, many, .. } in operations {
        let counted = callgrind::count(name, *many)?;
        let before = expected.of(name);
        let change = before.map(|before| counted / before - 1.0);
        let shown = change.map_or_else(String::new, |change| format!("{:+.1} %", change * 100.0));
        println!(
            "| {name} | {counted:.0} | {} | {shown} |",
            before.map(|it| it.to_string()).unwrap_or_default()
        );
        if change.is_none_or(|change| change.abs() > TOLERANCE) {
            writeln!(off, "{name}")?;
        }
        expected.set(name, counted);
    }
    if blesses {
        return expected.write();
    }
    ensure!(
        off.is_empty(),
        "these are not as expected:\n{off}If that is meant, `--bless` writes the new figures; say why in the commit."
    );
    Ok(())
}
