//! The client that is measured: a connector as the README shows it, run by `start`.

use std::{
    collections::VecDeque,
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use vantiq_connector::{Delivery, prelude::*};

use crate::workload::{Ask, Config, Done, Event, ROWS_IN_A_PARTIAL, Reading, Then, padding};

/// As many queries at once as any scenario has.
const QUERIES: usize = 1_024;
/// How many receipts are kept before the oldest quarter is awaited: the window.
const RECEIPTS: usize = 32_768;

/// Does the work of all scenarios.
#[derive(VantiqSource)]
#[vantiq_source(config = Config, publish = Event, query = Ask)]
struct Measured {
    source: Source,
    text: Arc<str>,
    published: AtomicU64,
    receipts: Mutex<VecDeque<Receipt>>,
    stop: Arc<AtomicBool>,
}

impl SourceHandler for Measured {
    async fn connect(source: Source, config: Config) -> Result<Self> {
        Ok(Self {
            source,
            text: padding(config.notification_bytes).into(),
            published: AtomicU64::new(0),
            receipts: Mutex::default(),
            stop: Arc::default(),
        })
    }

    async fn publish(&self, event: Event) -> Result<()> {
        std::hint::black_box((event.celsius, event.text.len()));
        self.published.fetch_add(1, Ordering::Relaxed);
        match event.then {
            Then::Nothing => {}
            Then::Report => {
                let done = self.published.swap(0, Ordering::Relaxed);
                self.source.notify(&Done { done }).await?;
            }
            Then::Notify => {
                let receipt = self.source.notify(&Reading::new(event.sequence, &self.text)).await?;
                if let Some(receipt) = self.keep(receipt) {
                    receipt.await?;
                }
            }
            Then::Start => {
                let (source, text, stop) = (self.source.clone(), self.text.clone(), self.stop.clone());
                self.source.spawn(pump(source, text, event.sequence, stop));
            }
            Then::Stop => self.stop.store(true, Ordering::Relaxed),
        }
        Ok(())
    }

    async fn query(&self, ask: Ask, rows: &mut Rows) -> Result<Answer> {
        if ask.sleep_ms > 0 {
            tokio::time::sleep(Duration::from_millis(ask.sleep_ms)).await;
        }
        if ask.rows == 0 {
            return Answer::row(&Reading::new(ask.sequence, "a row"));
        }
        for number in 0..ask.rows {
            rows.send(&Reading::new(number, "a row")).await?;
        }
        Ok(Answer::done())
    }
}

impl Measured {
    /// Keeps a receipt for later; when there are many, returns the oldest.
    fn keep(&self, receipt: Receipt) -> Option<Receipt> {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        receipts.push_back(receipt);
        if receipts.len() > RECEIPTS { receipts.pop_front() } else { None }
    }
}

/// Notifies until told to stop, so many `at_once`, and awaits the receipts later.
async fn pump(source: Source, text: Arc<str>, at_once: u64, stop: Arc<AtomicBool>) {
    let notify = async |number| source.notify(&Reading::new(number, &text)).await.expect("it is accepted");
    let mut receipts = VecDeque::new();
    let (mut sent, mut delivered) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        if at_once > 0 {
            receipts.extend(join_all((sent..sent + at_once).map(&notify)).await);
            sent += at_once;
        } else {
            receipts.push_back(notify(sent).await);
            sent += 1;
        }
        if receipts.len() >= RECEIPTS {
            delivered += acknowledged(receipts.drain(..RECEIPTS / 4)).await;
        }
    }
    delivered += acknowledged(receipts.drain(..)).await;
    assert_eq!(sent, delivered, "every notification is acknowledged");
    source.notify(&Done { done: delivered }).await.expect("the source is open");
}

async fn acknowledged(receipts: impl Iterator<Item = Receipt>) -> u64 {
    let mut count = 0;
    for receipt in receipts {
        count += u64::from(receipt.await == Ok(Delivery::Acknowledged));
    }
    count
}

/// Is the connector.
pub(crate) fn run() -> ExitCode {
    let rows = usize::try_from(ROWS_IN_A_PARTIAL).expect("a small number");
    let set = ConnectorSet::builder()
        .source::<Measured>()
        .max_queries(QUERIES)
        .bundle(rows, Duration::from_millis(100));
    vantiq_connector::start(set)
}
