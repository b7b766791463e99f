//! The store as a whole, on real files and on disks that fail.

mod bound;
mod damage;
mod late;
mod policies;
mod rescue;
mod slow;
mod stop;

use std::{
    env,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};

use super::{OutboxOnError, OutboxSync, StoreSettings, file::StoreFile, place::Place};
use crate::delivery::outbox::Draft;

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        Self(env::temp_dir().join(format!("vantiq-connector-{}-{number}", std::process::id())))
    }

    fn file(&self) -> PathBuf {
        self.0.join("state/outbox")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn settings(file: &Path) -> StoreSettings {
    let (sync, on_error) = (OutboxSync::Always, OutboxOnError::Refuse);
    StoreSettings { file: file.to_owned(), sync, max_bytes: u64::MAX, on_error }
}

fn draft(text: impl Into<Bytes>) -> Draft {
    Draft { frame: text.into(), request_id: None, expires_at: None }
}

/// Waits for `future`, so that a test that waits for what never comes fails.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes")
}

/// A number that the environment sets.
fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Runs `case` so many times, or as often as `OUTBOX_CASES` says, each with another seed, which is printed
/// where it fails. `OUTBOX_SEED` is the first of them.
fn cases(name: &str, default: u64, mut case: impl FnMut(u64)) {
    let seed = setting("OUTBOX_SEED").unwrap_or_else(rand::random::<u64>);
    let count = setting("OUTBOX_CASES").unwrap_or(default);
    println!("{name}: {count} cases from OUTBOX_SEED={seed}");
    for seed in (0..count).map(|number| seed.wrapping_add(number)) {
        let failed = Failed { name, seed };
        case(seed);
        std::mem::forget(failed);
    }
}

/// Tells the seed of the case that panics.
struct Failed<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        eprintln!("{}: failed with OUTBOX_SEED={} OUTBOX_CASES=1", self.name, self.seed);
    }
}
