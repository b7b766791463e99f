//! [`Client`]: a bare WebSocket client in a process and on a core of its own, which does as little as it can.

use std::{
    env,
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{core, load::Load};

/// Says on which core.
const CORE: &str = "VANTIQ_BENCH_CORE";
/// Says which load a process is to make, and where.
const ROLE: &str = "VANTIQ_BENCH_LOAD";
/// Notifications that wait for their acknowledgement.
const WINDOW: usize = 4_096;
/// Bytes of an event.
const EVENT: usize = 100;

/// A client that runs, as long as this is kept.
pub(crate) struct Client(Child);

impl Client {
    pub(crate) fn start(load: Load, server: SocketAddr, client_core: Option<usize>) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.env(ROLE, format!("{} {server}", load.name())).stdin(Stdio::null());
        if let Some(core) = client_core {
            command.env(CORE, core.to_string());
        }
        Ok(Self(command.spawn().context("the client can be started")?))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The load and the server, where this process is a client.
pub(crate) fn role() -> Option<(Load, SocketAddr)> {
    let role = env::var(ROLE).ok()?;
    let (load, server) = role.split_once(' ')?;
    Some((Load::of(load)?, server.parse().ok()?))
}

type Stream = WebSocketStream<TcpStream>;

pub(crate) async fn run(load: Load, server: SocketAddr) -> Result<()> {
    // The process that started this one is bound to the other.
    if let Some(core) = env::var(CORE).ok().and_then(|core| core.parse().ok()) {
        core::bind(core);
    }
    let connection = TcpStream::connect(server).await?;
    connection.set_nodelay(true)?;
    let url = format!("ws://{server}/api/v1/wsock/websocket");
    let (mut stream, _) = client_async(url, connection).await?;
    for message in [
        json!({"op": "validate", "resourceName": "system.credentials", "object": "bench"}),
        json!({"op": "connectExtension", "resourceName": "sources", "resourceId": "bench"}),
    ] {
        stream.send(Message::text(message.to_string())).await?;
        stream.next().await.context("the server is there")??;
    }
    match load {
        Load::Notifications => notify(stream).await,
        Load::Queries => answer(stream).await,
    }
}

/// Sends as many notifications as the window allows.
async fn notify(mut stream: Stream) -> Result<()> {
    let event = json!({"text": "x".repeat(EVENT - r#"{"text":""}"#.len())});
    let message =
        json!({"op": "notification", "resourceName": "sources", "resourceId": "bench", "object": event});
    let message = Bytes::from(message.to_string());
    let mut waiting = 0;
    loop {
        while waiting < WINDOW {
            stream.feed(Message::Binary(message.clone())).await?;
            waiting += 1;
        }
        stream.flush().await?;
        let mut frame = stream.next().await;
        while let Some(acknowledgement) = frame {
            acknowledgement?;
            waiting -= 1;
            frame = stream.next().now_or_never().flatten();
        }
    }
}

/// Answers each query with one row.
async fn answer(mut stream: Stream) -> Result<()> {
    loop {
        let mut frame = stream.next().await;
        while let Some(query) = frame {
            stream.feed(Message::Binary(answer_to(&query?.into_data())?)).await?;
            frame = stream.next().now_or_never().flatten();
        }
        stream.flush().await?;
    }
}

fn answer_to(query: &[u8]) -> Result<Bytes> {
    const MARK: &[u8] = br#""REPLY_ADDR_HEADER":""#;
    let start =
        query.windows(MARK.len()).position(|window| window == MARK).context("it is a query")? + MARK.len();
    let length = query[start..].iter().position(|byte| *byte == b'"').context("the address ends")?;
    let mut answer =
        br#"{"status":200,"contentType":"application/json","headers":{"X-Reply-Address":""#.to_vec();
    answer.extend_from_slice(&query[start..start + length]);
    answer.extend_from_slice(br#""},"body":{"celsius":21.5}}"#);
    Ok(answer.into())
}
