//! [`Tail`]: the handler. One loop reads lines and sends them, one waits for their receipts, one stores how
//! far they have come. None of them holds up another.

use std::{
    mem,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    fs::File,
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{Instrument, error, warn};
use vantiq_connector::{Delivery, DeliveryError, NotifyError, Receipt, prelude::*};

use crate::{
    lines::Lines,
    offset::{OffsetFile, Position},
};

/// Lines sent whose receipts have not come; then the reader waits.
const UNCONFIRMED: usize = 1_000;
/// The offset is stored this often at most.
const STORE_EVERY: Duration = Duration::from_millis(100);
/// How long to wait after an error.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the end of a session waits for them: less than the 5 s that the runtime gives to `close`.
const LAST_RECEIPTS: Duration = Duration::from_secs(3);

#[derive(Deserialize)]
pub(crate) struct Config {
    /// The file to follow.
    file: PathBuf,
}

/// A line on its way: where it ends, and its receipt.
type Sent = (Position, Receipt);

/// Persistent, so that a lost link does not make it send again what is still on its way.
#[derive(VantiqSource)]
#[vantiq_source("file-tail", persistent, config = Config)]
pub(crate) struct Tail(JoinSet<()>);

impl SourceHandler for Tail {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        let path = config.file;
        // Where it cannot be read, `connect` is tried again, and the state of the source says why.
        let file = File::open(&path).await.with_context(|| format!("cannot open {}", path.display()))?;
        ensure!(file.metadata().await?.is_file(), "{} is not a file", path.display());
        let offset_file = OffsetFile(path.with_added_extension("offset"));
        let from = offset_file.load().await?;
        // Not `Source::spawn`, whose tasks end before the last receipts have come.
        let mut following = JoinSet::new();
        following.spawn(follow(source, path, offset_file, from).in_current_span());
        Ok(Self(following))
    }

    /// Waits for the last receipts, and gives up the task with what it waits for.
    async fn close(mut self) {
        if timeout(LAST_RECEIPTS, self.0.join_next()).await.is_err() {
            warn!("lines are without a receipt, or their offset is not stored: they will come again");
        }
    }
}

/// Sends lines until the session ends, and stores how far they have come.
async fn follow(source: Source, path: PathBuf, offset_file: OffsetFile, from: Option<Position>) {
    let (confirmed_tx, confirmed_rx) = watch::channel(from);
    let sending = async move {
        while let Err(error) = run(&source, &path, &confirmed_tx).await {
            let error = format!("{error:#}");
            error!(error, pause = ?PAUSE, "beginning again after the last line confirmed");
            tokio::select! {
                () = source.cancelled() => return,
                () = sleep(PAUSE) => {}
            }
        }
    };
    tokio::join!(sending, store(confirmed_rx, &offset_file));
}

/// Sends what follows the last line confirmed, until the session ends and all that was sent is confirmed.
async fn run(source: &Source, path: &Path, confirmed_tx: &watch::Sender<Option<Position>>) -> Result<()> {
    let from = *confirmed_tx.borrow();
    let mut lines = Lines::open(path, from).await?;
    if from.is_none() {
        // Which file it is, should that be renamed before the first receipt.
        confirmed_tx.send_replace(Some(lines.read));
    }
    let (sent_tx, sent_rx) = mpsc::channel(UNCONFIRMED);
    let sending = async {
        tokio::select! {
            // Ends the channel, too.
            () = source.cancelled() => Ok(()),
            ended = send(source, &mut lines, sent_tx) => ended,
        }
    };
    // Both to their ends, which follow from each other: what is on its way is not sent again for an error behind it.
    let (sent, confirmed) = tokio::join!(sending, confirm(sent_rx, confirmed_tx));
    confirmed.and(sent)
}

async fn send(source: &Source, lines: &mut Lines, sent_tx: mpsc::Sender<Sent>) -> Result<()> {
    loop {
        let line = lines.next().await?;
        let event = json!({"line": line.text, "end": line.end.offset});
        match source.notify(&event).await {
            Ok(receipt) => sent_tx.send((line.end, receipt)).await?,
            // It would be each time, and hold up all others.
            Err(NotifyError::TooLarge { .. }) => {
                let size = line.end.offset - line.begin;
                error!(offset = line.begin, size, "left out a line that is too large");
            }
            Err(error) => bail!(error),
        }
    }
}

/// Tells how far lines are delivered, in their order.
async fn confirm(
    mut sent_rx: mpsc::Receiver<Sent>,
    confirmed_tx: &watch::Sender<Option<Position>>,
) -> Result<()> {
    let mut is_warned = false;
    while let Some((end, receipt)) = sent_rx.recv().await {
        match receipt.await {
            // More will never be known.
            Ok(Delivery::Sent) if !mem::replace(&mut is_warned, true) => {
                warn!(
                    "lines may be lost: the server acknowledges nothing, and `sendPings=false` forbids to ask"
                );
            }
            Ok(_) => {}
            // As one that is too large.
            Err(DeliveryError::Rejected(error)) => {
                error!(%error, end = end.offset, "left out a line that was refused");
            }
            // It may not have arrived: this one and those after it are read again.
            Err(error) => bail!(error),
        }
        confirmed_tx.send_replace(Some(end));
    }
    Ok(())
}

/// Stores each position, or where they come faster the latest, until nobody tells any.
async fn store(mut confirmed_rx: watch::Receiver<Option<Position>>, offset_file: &OffsetFile) {
    while confirmed_rx.changed().await.is_ok() {
        let confirmed = *confirmed_rx.borrow_and_update();
        let Some(position) = confirmed else { continue };
        if let Err(error) = offset_file.store(position).await {
            // No reason to send anything twice: a later one will do.
            error!(error = format!("{error:#}"), "the offset is not stored");
            confirmed_rx.mark_changed();
            sleep(PAUSE).await;
        }
        sleep(STORE_EVERY).await;
    }
}
