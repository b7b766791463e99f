//! Notifications through an outbox file, and beside them what the disk can do: a plain loop that writes as many bytes
//! for each into a file in the same folder, and syncs it in the same rhythm.

use std::{
    fs::{self, File},
    io::{self, Seek, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    notifications,
    process::{Client, folder},
    trial::{Figure, Trial, Unit, number},
};

const BYTES: usize = 100;
/// As in the connector: how often `outboxSync=interval` syncs.
const INTERVAL: Duration = Duration::from_millis(100);
/// How large the file of the loop is. It is written from the beginning again and again, as an outbox file is.
const FILE: usize = 64 << 20;
/// Records between two looks at the clock, where syncs do not say when to look.
const BURST: u64 = 1_000;

/// `outboxSync=interval`, with acknowledgements so late.
pub(crate) fn synced_at_intervals(trial: &Trial, late: Duration) -> Result<Figure> {
    if trial.client == Client::Disk {
        return alone(trial, BURST, INTERVAL);
    }
    begin_anew()?;
    let trial = Trial { settings: "outboxFile=outbox/file\noutboxSync=interval", ..*trial };
    notifications::sent(&trial, BYTES, late)
}

/// `outboxSync=always`, with so many at once, which share a sync.
pub(crate) fn always_synced(trial: &Trial, at_once: u64) -> Result<Figure> {
    if trial.client == Client::Disk {
        return alone(trial, at_once, Duration::ZERO);
    }
    begin_anew()?;
    let trial = Trial { settings: "outboxFile=outbox/file\noutboxSync=always", ..*trial };
    notifications::sent_at_once(&trial, BYTES, Duration::ZERO, at_once)
}

/// Removes what the client before left.
fn begin_anew() -> Result<()> {
    let outbox = folder().join("outbox");
    if outbox.exists() {
        fs::remove_dir_all(outbox)?;
    }
    Ok(())
}

/// What a plain loop can do that writes `batch` records and syncs them when the last sync is so long ago.
fn alone(trial: &Trial, batch: u64, interval: Duration) -> Result<Figure> {
    let mut disk = Disk::create()?;
    let records = vec![b'x'; usize::try_from(batch)? * BYTES];
    let (began, mut written) = (Instant::now(), 0);
    let mut synced = began;
    while began.elapsed() < trial.length {
        disk.write(&records)?;
        written += batch;
        if synced.elapsed() >= interval {
            disk.file.sync_data()?;
            synced = Instant::now();
        }
    }
    disk.file.sync_data()?;
    Ok(Figure::of(number(written) / began.elapsed().as_secs_f64(), Unit::PerSecond))
}

/// A file whose blocks the disk has, so that a sync has nothing to do but to write them. Ends with its file.
struct Disk {
    file: File,
    path: PathBuf,
    at: usize,
}

impl Disk {
    fn create() -> io::Result<Self> {
        let path = folder().join("disk");
        let mut file = File::create(&path)?;
        file.write_all(&vec![0; FILE])?;
        file.sync_all()?;
        file.rewind()?;
        Ok(Self { file, path, at: 0 })
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        if self.at + records.len() > FILE {
            self.file.rewind()?;
            self.at = 0;
        }
        self.at += records.len();
        self.file.write_all(records)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
