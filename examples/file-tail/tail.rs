//! [`Tail`]: the handler. One task reads lines and sends them, another waits for their receipts and stores the
//! offset.

use std::{io::SeekFrom, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncSeekExt, BufReader},
    sync::mpsc,
    time::sleep,
};
use tracing::{error, warn};
use vantiq_connector::{DeliveryError, Receipt, prelude::*};

use crate::offset::OffsetFile;

/// How often the end of the file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Lines sent whose receipts were not looked at yet; then the reader waits.
const UNCONFIRMED: usize = 1_000;

#[derive(Deserialize)]
pub(crate) struct Config {
    /// The file to follow.
    file: PathBuf,
}

/// A line on its way: where it ends in the file, and its receipt.
type Sent = (u64, Receipt);

/// Persistent, so that a lost link does not make it send again what is still on its way.
#[derive(VantiqSource)]
#[vantiq_source("file-tail", persistent, config = Config)]
pub(crate) struct Tail;

impl SourceHandler for Tail {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        let offset_file = OffsetFile(config.file.with_extension("offset"));
        let file = File::open(&config.file);
        let file = file.await.with_context(|| format!("cannot open {}", config.file.display()))?;
        let (sent_tx, sent_rx) = mpsc::channel(UNCONFIRMED);
        let (sender, from) = (source.clone(), offset_file.load().await?);
        source.spawn(async move {
            let reason = tokio::select! {
                reason = send(&sender, file, from, sent_tx) => reason,
                reason = confirm(sent_rx, &offset_file) => reason,
            };
            error!(error = format!("{:#}", reason.unwrap_err()), "starting again from the stored offset");
            sender.reconnect();
        });
        Ok(Self)
    }
}

/// Sends each line of `file` from the offset `at` on, and those that are appended later.
async fn send(source: &Source, file: File, mut at: u64, sent_tx: mpsc::Sender<Sent>) -> Result<()> {
    let (mut file, mut line) = (BufReader::new(file), Vec::new());
    file.seek(SeekFrom::Start(at)).await?;
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") {
            at += length as u64;
            let event = json!({"line": String::from_utf8_lossy(&line).trim_end(), "end": at});
            sent_tx.send((at, source.notify(&event).await?)).await?;
            continue;
        }
        // The end, or a line that is still being written.
        sleep(LOOK_EVERY).await;
        if file.get_ref().metadata().await?.len() < at {
            warn!("the file was cut short; beginning again at its start");
            at = 0;
        }
        file.seek(SeekFrom::Start(at)).await?;
    }
}

/// Stores how far the file was delivered, in the order of the lines.
async fn confirm(mut sent_rx: mpsc::Receiver<Sent>, offset_file: &OffsetFile) -> Result<()> {
    while let Some((mut end, receipt)) = sent_rx.recv().await {
        confirmed(end, receipt).await?;
        // One write for all that is confirmed already.
        while let Ok((later, receipt)) = sent_rx.try_recv() {
            confirmed(later, receipt).await?;
            end = later;
        }
        offset_file.store(end).await?;
    }
    bail!("nothing is sent any more")
}

/// Waits until it is known that the line which ends at `end` need not be read again.
async fn confirmed(end: u64, receipt: Receipt) -> Result<()> {
    match receipt.await {
        Ok(_) => Ok(()),
        // It would be refused each time, and hold up all others.
        Err(DeliveryError::Rejected(error)) => {
            error!(%error, end, "left out a line that was refused");
            Ok(())
        }
        // It may not have arrived: this one and those after it are read again.
        Err(error) => bail!(error),
    }
}
