//! [`BareServer`]: a server that answers whatever comes, without a look at it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use anyhow::Result;
use bytes::Bytes;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

use crate::load::{Load, QUERIES};

/// Frames before the first that counts: validate and connectExtension.
const HANDSHAKE: u64 = 2;
const QUERY: &[u8] = br#"{"op":"query","resourceName":"sources","resourceId":"bench","isSystemResource":true,"contentType":"application/json","skipMonitoring":false,"isExternal":false,"address":"0e3f2f0c-5d5d-4b60-9a55-6f2ee5b4d1a2","messageHeaders":{"REPLY_ADDR_HEADER":"0e3f2f0c-5d5d-4b60-9a55-6f2ee5b4d1a2"},"object":{"op":"current"}}"#;

pub(crate) struct BareServer {
    address: SocketAddr,
    received: Arc<AtomicU64>,
    _serving: AbortOnDropHandle<Result<()>>,
}

impl BareServer {
    pub(crate) async fn start(load: Load) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, received) = (listener.local_addr()?, Arc::new(AtomicU64::new(0)));
        let serving = tokio::spawn(serve(load, listener, Arc::clone(&received)));
        Ok(Self { address, received, _serving: AbortOnDropHandle::new(serving) })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn done(&self) -> u64 {
        self.received.load(Relaxed).saturating_sub(HANDSHAKE)
    }
}

async fn serve(load: Load, listener: TcpListener, received: Arc<AtomicU64>) -> Result<()> {
    let (connection, _) = listener.accept().await?;
    connection.set_nodelay(true)?;
    let mut stream = tokio_tungstenite::accept_async(connection).await?;
    let answer = Bytes::from_static(if load == Load::Queries { QUERY } else { br#"{"status":200}"# });
    while let Some(first) = stream.next().await {
        let mut frame = Some(first);
        // All that has come is answered together.
        while let Some(Ok(_)) = frame {
            let number = received.fetch_add(1, Relaxed) + 1;
            if number <= HANDSHAKE {
                stream.feed(Message::text(r#"{"op":"configureExtension","status":200}"#)).await?;
            }
            let times = if number == HANDSHAKE && load == Load::Queries { QUERIES } else { 1 };
            if number > HANDSHAKE || times > 1 {
                for _ in 0..times {
                    stream.feed(Message::Binary(answer.clone())).await?;
                }
            }
            frame = stream.next().now_or_never().flatten();
        }
        stream.flush().await?;
    }
    Ok(())
}
