//! [`Workbench`]: a connector and its server in one thread and in memory, for whoever counts what an operation costs.
//!
//! The server has its frames laid out beforehand and allocates nothing once it runs; it and the types of the handler
//! cost next to nothing, so nearly all that is counted is the connector. One thread and no socket make the count the
//! same each time, but for the order in which `select!` looks at its branches.

use std::{collections::VecDeque, future::ready, io, ops::Range, sync::Mutex, time::Duration};

use serde::{Deserialize, Serialize, de::IgnoredAny};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    runtime::{Builder, Runtime},
};
use vantiq_connector::{CancellationToken, prelude::*};

use crate::{
    config_at,
    dialogue::{self, ACKNOWLEDGEMENT, SOURCE, Step},
    frame::{BINARY, Frame, Inbox, lay},
};

/// Bytes that each direction of the link holds.
const BUFFER: usize = 64 * 1024;
/// Publishes that are sent before the connector is asked how far it is.
const PUBLISHES_AT_ONCE: usize = 100;
/// Rows of one query, and in one partial answer.
const ROWS: usize = 1_000;
const ROWS_IN_A_PARTIAL: usize = 100;
/// Receipts that are kept before the oldest is awaited.
const RECEIPTS: usize = 1_000;
/// An address as long as those of real servers.
const ADDRESS: &str = "d15cf6b0-8a1f-11e8-b880-48152d44a589";

/// What is done, again and again.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// The connector handles a publish whose object has so many bytes.
    Publish(usize),
    /// It answers a query with a row; so many are under way.
    Query(usize),
    /// It sends a row of a streamed answer, 100 in a partial one.
    Row,
    /// It sends a notification whose event has so many bytes. Each is acknowledged, and its receipt awaited later.
    Notification(usize),
}

/// What is published and asked.
#[derive(Deserialize)]
struct Order {
    number: u64,
    /// How many notifications to send, or rows.
    #[serde(default)]
    count: usize,
    /// The size of their text.
    #[serde(default)]
    bytes: usize,
    /// That of the order itself: who reads a text needs memory for it, and that is not what is counted here.
    #[serde(default, rename = "text")]
    _text: IgnoredAny,
}

/// What is notified and answered.
#[derive(Serialize)]
struct Reading<'a> {
    number: u64,
    text: &'a str,
}

#[derive(VantiqSource)]
#[vantiq_source(publish = Order, query = Order)]
struct Worker {
    source: Source,
    text: String,
}

impl SourceHandler for Worker {
    async fn connect(source: Source, _: Self::Config) -> Result<Self> {
        Ok(Self { source, text: "x".repeat(BUFFER) })
    }

    async fn publish(&self, order: Order) -> Result<()> {
        let reading = Reading { number: order.number, text: &self.text[..order.bytes] };
        let mut receipts = VecDeque::with_capacity(order.count.min(RECEIPTS));
        for _ in 0..order.count {
            if receipts.len() == RECEIPTS
                && let Some(receipt) = receipts.pop_front()
            {
                receipt_of(receipt).await?;
            }
            receipts.push_back(self.source.notify(&reading).await?);
        }
        for receipt in receipts {
            receipt_of(receipt).await?;
        }
        Ok(())
    }

    async fn query(&self, order: Order, rows: &mut Rows) -> Result<Answer> {
        let reading = Reading { number: order.number, text: "a row" };
        if order.count == 0 {
            return Answer::row(&reading);
        }
        for _ in 0..order.count {
            rows.send(&reading).await?;
        }
        Ok(Answer::done())
    }
}

async fn receipt_of(receipt: Receipt) -> Result<()> {
    receipt.await?;
    Ok(())
}

/// A connector and its server.
#[derive(Debug)]
pub struct Workbench {
    runtime: Runtime,
    server: Server,
}

impl Workbench {
    /// Connects the connector.
    ///
    /// # Panics
    /// If that fails.
    #[must_use]
    pub fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be had");
        let (connectors, servers) = duplex(BUFFER);
        let dialled = Mutex::new(Some(connectors));
        let dial = move |_, _| {
            let stream = dialled.lock().ok().and_then(|mut stream| stream.take());
            ready(stream.ok_or(io::Error::from(io::ErrorKind::ConnectionRefused)))
        };
        let config = config_at("http://in-memory", "token", &[SOURCE]).build().expect("nothing is missing");
        let set = ConnectorSet::builder()
            .source::<Worker>()
            .config(config)
            .dial_with(dial)
            .bundle(ROWS_IN_A_PARTIAL, Duration::from_mins(1));
        let set = set.build().expect("the settings are right");
        runtime.spawn(async move { set.serve(CancellationToken::new()).await });
        let server = runtime.block_on(Server::attached(servers));
        Self { runtime, server }
    }

    /// Does so many of `operation`, one after the other but for those that are to be under way at once.
    pub fn perform(&mut self, operation: Operation, count: usize) {
        self.runtime.block_on(async {
            match operation {
                Operation::Publish(bytes) => self.server.publish(bytes, count).await,
                Operation::Query(at_once) => self.server.query(at_once, count).await,
                Operation::Row => self.server.stream(count).await,
                Operation::Notification(bytes) => self.server.have_notified(bytes, count).await,
            }
        });
    }
}

impl Default for Workbench {
    fn default() -> Self {
        Self::new()
    }
}

/// The server of one link.
#[derive(Debug)]
struct Server {
    stream: DuplexStream,
    inbox: Inbox,
    /// What goes out with the next [`send`](Self::send).
    outbox: Vec<u8>,
    acknowledgement: Vec<u8>,
}

impl Server {
    async fn attached(stream: DuplexStream) -> Self {
        let mut acknowledgement = Vec::new();
        lay(&mut acknowledgement, BINARY, ACKNOWLEDGEMENT);
        let mut server = Self { stream, inbox: Inbox::default(), outbox: Vec::new(), acknowledgement };
        let (length, response) = loop {
            server.receive().await;
            if let Some(upgrade) = dialogue::upgrade(server.inbox.rest()).expect("an upgrade") {
                break upgrade;
            }
        };
        server.inbox.skip(length);
        server.outbox.extend(response.as_bytes());
        server.send().await;
        loop {
            let message = server.message().await;
            let step = dialogue::answer(server.inbox.at(message), "{}", &mut server.outbox);
            server.send().await;
            if matches!(step.expect("a handshake"), Step::Configured) {
                return server;
            }
        }
    }

    async fn publish(&mut self, bytes: usize, count: usize) {
        let text = "x".repeat(bytes.saturating_sub(r#"{"number":1,"text":""}"#.len()));
        let publish = publish(&format!(r#"{{"number":1,"text":"{text}"}}"#));
        let mark = order(1, 0);
        for number in 1..=count {
            if number % PUBLISHES_AT_ONCE != 0 && number < count {
                self.outbox.extend(&publish);
                continue;
            }
            self.outbox.extend(&mark);
            self.send().await;
            self.message().await;
            self.outbox.extend(&self.acknowledgement);
        }
        self.send().await;
    }

    async fn query(&mut self, at_once: usize, count: usize) {
        let query = query(0);
        let mut left = count;
        for _ in 0..at_once.min(count) {
            self.outbox.extend(&query);
            left -= 1;
        }
        for _ in 0..count {
            let answer = self.message().await;
            assert!(self.inbox.at(answer).starts_with(br#"{"status":200"#), "an answer");
            if left > 0 {
                self.outbox.extend(&query);
                left -= 1;
            }
        }
    }

    async fn stream(&mut self, count: usize) {
        let query = query(ROWS);
        for _ in 0..count.div_ceil(ROWS) {
            self.outbox.extend(&query);
            loop {
                let part = self.message().await;
                if !self.inbox.at(part).starts_with(br#"{"status":100"#) {
                    break;
                }
            }
        }
    }

    async fn have_notified(&mut self, bytes: usize, count: usize) {
        let text = bytes.saturating_sub(r#"{"number":1,"text":""}"#.len());
        self.outbox.extend(&order(count, text));
        // The mark, for it comes back only when all receipts have come.
        self.outbox.extend(&order(1, 0));
        for _ in 0..=count {
            self.message().await;
            self.outbox.extend(&self.acknowledgement);
        }
        self.send().await;
    }

    /// The next message. Sends what is in the outbox before it waits.
    async fn message(&mut self) -> Range<usize> {
        loop {
            match self.inbox.next_frame() {
                Some(Frame::Message(message)) => return message,
                Some(Frame::Ping(pong)) => self.outbox.extend(pong),
                Some(Frame::Close) => panic!("the connector closes the link"),
                None => {
                    self.send().await;
                    self.receive().await;
                }
            }
        }
    }

    async fn receive(&mut self) {
        let count = self.stream.read(self.inbox.room()).await.expect("memory has no faults");
        assert!(count > 0, "the connector is gone");
        self.inbox.filled(count);
    }

    async fn send(&mut self) {
        self.stream.write_all(&self.outbox).await.expect("memory has no faults");
        self.outbox.clear();
    }
}

/// A publish that has so many notifications sent, whose text has so many bytes.
fn order(count: usize, bytes: usize) -> Vec<u8> {
    publish(&format!(r#"{{"number":1,"count":{count},"bytes":{bytes}}}"#))
}

fn publish(object: &str) -> Vec<u8> {
    laid(&dialogue::publish(object))
}

/// A query that is answered with so many rows in parts, or with one.
fn query(count: usize) -> Vec<u8> {
    laid(&dialogue::query(ADDRESS, &format!(r#"{{"number":1,"count":{count}}}"#)))
}

fn laid(message: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    lay(&mut frame, BINARY, message.as_bytes());
    frame
}
