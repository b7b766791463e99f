//! A connector set that is stopped while its disk hangs.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::{policies::on, *};
use crate::{
    CancellationToken, ConnectorSet, ServerConfig, SourceState, delivery::store::durable::trials::Disk,
    prelude::*,
};

#[derive(VantiqSource)]
#[vantiq_source(crate = crate)]
struct Quiet;

impl SourceHandler for Quiet {
    async fn connect(_: Source, _: Value) -> Result<Self> {
        Ok(Self)
    }
}

/// A set of one source with its outbox file on `disk`, and the ends of its connections.
fn set(disk: &Disk, sync: OutboxSync) -> (ConnectorSet, mpsc::UnboundedReceiver<DuplexStream>) {
    let (dialled_tx, dialled_rx) = mpsc::unbounded_channel();
    let dial = move |_, _| {
        let (ours, theirs) = duplex(1 << 20);
        let gone = dialled_tx.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        std::future::ready(gone.map(|()| ours))
    };
    let config = ServerConfig::builder().target_server("http://localhost").auth_token("t").source("a");
    let config = config.outbox_file("outbox").outbox_sync(sync).set("tcpProbePort", "0").build().unwrap();
    let set = ConnectorSet::builder().source::<Quiet>().config(config).dial_with(dial);
    (set.build_on(|settings| Ok(on(disk, settings.clone()))).unwrap(), dialled_rx)
}

/// The server's end of a link.
struct Server(WebSocketStream<DuplexStream>);

impl Server {
    async fn attached(stream: DuplexStream) -> Self {
        let mut server = Self(accept_async(stream).await.unwrap());
        assert_eq!(server.next().await.unwrap()["op"], "validate");
        server.send(&json!({"status": 200, "body": {"userInfo": {}}})).await;
        assert_eq!(server.next().await.unwrap()["op"], "connectExtension");
        server.send(&json!({"op": "configureExtension", "object": {"config": {}}})).await;
        server
    }

    /// The next message, `None` when the connector closes the link.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await?.unwrap() {
                Message::Text(text) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                Message::Binary(bytes) => return Some(serde_json::from_slice(&bytes).unwrap()),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_to_the_file_is_sent_before_the_link_is_closed() {
    let disk = Disk::default();
    let (set, mut dialled_rx) = set(&disk, OutboxSync::Always);
    let (source, stop) = (set.handle().source("a").unwrap(), CancellationToken::new());
    let serving = tokio::spawn(set.serve(stop.clone()));
    let mut server = Server::attached(dialled_rx.recv().await.unwrap()).await;
    source.wait_for(|state| *state == SourceState::Connected).await;
    disk.hang(true);
    drop(source.try_notify(&1).unwrap());
    stop.cancel();
    // More than enough for a link that waits for nothing; from then on the clock is that of the writer.
    tokio::time::sleep(Duration::from_secs(1)).await;
    tokio::time::resume();
    disk.hang(false);
    let message = within(server.next()).await.expect("it is sent before the link is closed");
    assert_eq!(message["object"], 1);
    server.send(&json!({"status": 200})).await;
    while within(server.next()).await.is_some() {}
    drop(server);
    within(serving).await.unwrap().unwrap();
    assert_eq!(source.status().counts.notifications_kept, 0);
}

/// What may not be in the file by then counts as abandoned.
#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_does_not_hang_the_stop() {
    for sync in [OutboxSync::Always, OutboxSync::Interval] {
        let disk = Disk::default();
        let (set, dialled_rx) = set(&disk, sync);
        drop(dialled_rx);
        let (source, stop) = (set.handle().source("a").unwrap(), CancellationToken::new());
        disk.hang(true);
        drop(source.try_notify(&1).unwrap());
        stop.cancel();
        let stopped = tokio::time::timeout(Duration::from_mins(1), set.serve(stop)).await;
        disk.hang(false);
        let error = stopped.expect("it does not wait for the disk").unwrap_err();
        assert_eq!(error.exit_code(), 75);
        let counts = source.status().counts;
        assert_eq!((counts.notifications_abandoned, counts.notifications_kept), (1, 0), "{sync:?}");
    }
}

/// Handles may live on, and another set may be begun at once.
#[tokio::test]
async fn a_set_that_is_dropped_while_it_serves_has_closed_its_file() {
    let folder = Folder::new();
    let build = || {
        let config = ServerConfig::builder().target_server("http://localhost").auth_token("t").source("a");
        let config = config.outbox_file(folder.file()).outbox_sync(OutboxSync::Interval);
        let config = config.set("tcpProbePort", "0").build().unwrap();
        ConnectorSet::builder().source::<Quiet>().config(config).build()
    };
    let set = build().unwrap();
    let source = set.handle().source("a").unwrap();
    let mut serving = Box::pin(set.serve(CancellationToken::new()));
    assert!(futures_util::poll!(&mut serving).is_pending());
    drop(source.try_notify(&1).unwrap());
    drop(serving);
    let again = build().expect("nobody has the file any more").handle().source("a").unwrap();
    assert_eq!(again.status().counts.notifications_restored, 1);
    // Nor where a set was never served.
    build().expect("nobody has the file any more");
    drop((source, again));
}
