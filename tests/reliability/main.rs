//! The promises under attack, with counts: `cargo test -p vantiq-connector-tests --test reliability`.
//!
//! Each property is one function of a [`Run`]: it attacks the connector, checks, and returns its figure; what does
//! not hold is a panic. One line is printed for each, in the form of a row of `tests/RELIABILITY.md`.
//!
//! * `FULL_COUNTS=1` runs the counts of that table; without it about a tenth.
//! * `SEED=7` runs with another seed than a random one; a failure names its own.
//! * `SCENE=12` plays that scene of the simulated network alone; see `network`.
//! * Words on the command line run those properties alone whose names hold one of them.
#![forbid(unsafe_code)]

mod answers;
mod bad_network;
mod caller;
mod canary;
mod changes;
mod cuts;
mod herd;
mod hostile;
mod isolation;
mod kills;
mod ledger;
mod liveness;
mod network;
mod outage;
mod outbox_file;
mod planned;
mod profiles;
mod receipts;
mod resident;
mod restarts;
mod run;
#[cfg(unix)]
mod stops;
mod told;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use run::Run;

/// A property and the function that attacks it.
type Property = (&'static str, fn(&Run) -> String);

/// All properties, in the order of the table.
const PROPERTIES: &[Property] = &[
    ("cuts every ~100 ms", cuts::lose_nothing),
    ("cuts under every acknowledgement profile", profiles::lose_nothing),
    ("receipts over cut, reject, expiry, drop, shutdown", receipts::resolve_once),
    ("ledger against its model", ledger::agrees_with_its_model),
    ("`kill -9` of a connector with an outbox file", kills::lose_nothing_that_was_accepted),
    (
        "outbox file damaged, and after a failure of power",
        outbox_file::survives_damage_and_loses_nothing_synced,
    ),
    ("half-open, each direction: noticed within 25 s", liveness::notices_half_open_links),
    ("300 publishes to a 2 s handler: link kept, all handled", liveness::keeps_the_link_of_a_slow_handler),
    ("a source refused for 60 s: at most 12 attempts", herd::asks_seldom_while_refused),
    ("1,000 sources lose the server together", herd::comes_back_without_a_stampede),
    ("1,000 panics in each kind of handler of source A", isolation::panics_reach_nobody_else),
    ("server away for an hour at 1,000 msg/s under each policy", outage::drops_what_it_counts),
    (
        "1,000 server restarts: connected again, no task, descriptor or memory left over",
        restarts::leave_nothing_behind,
    ),
    (
        "200 configuration changes under load: 0 lost, 0 at an earlier handler",
        changes::lose_and_mistake_nothing,
    ),
    #[cfg(unix)]
    (
        "SIGTERM with 50 queries and 2,000 messages under way: all answered or counted",
        stops::answer_or_count_everything,
    ),
    ("deterministic network simulation (turmoil) with partitions, holds, crashes", network::keep_promises),
    ("hostile frames", hostile::breaks_nothing),
    ("10,000 queries: exactly one terminal answer each", answers::answers_each_query_once),
    // The last one, for it captures all that the process says.
    ("canary secrets through every path at TRACE", canary::shows_no_secret),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in PROPERTIES {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    // Switches are those of the usual test harness, and mean nothing here.
    let words: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    println!("| property | figure | seed | time |\n|---|---|---|---|");
    let chosen: Vec<_> = PROPERTIES.iter().filter(|(name, _)| wanted(name)).collect();
    let failed = chosen.iter().filter(|property| !holds(property)).count();
    println!("test result: {}. {} passed; {failed} failed;", word(failed), chosen.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

const fn word(failed: usize) -> &'static str {
    if failed == 0 { "ok" } else { "FAILED" }
}

/// Attacks one property and prints its line. Returns whether it holds.
fn holds(&(name, attack): &Property) -> bool {
    let (run, began) = (Run::from_environment(), Instant::now());
    let figure = catch_unwind(AssertUnwindSafe(|| attack(&run)));
    let (seed, time) = (run.seed, began.elapsed().as_secs_f64());
    match &figure {
        Ok(figure) => println!("| {name} | {figure} | {seed} | {time:.1} s |"),
        Err(_) => println!(
            "| {name} | **DOES NOT HOLD**, see above; again with `SEED={seed}` | {seed} | {time:.1} s |"
        ),
    }
    figure.is_ok()
}
