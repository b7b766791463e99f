//! The client that ours is held against: tokio-tungstenite on one thread, and the minimum for the same work.
//!
//! It has our buffers, and what is known to be fast: the envelope borrowed, the payload straight into its type, one
//! flush when nothing more waits. It has no queues, receipts, deadlines, bounds or isolation; acknowledgements are
//! counted.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use futures_util::{FutureExt, SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{net::TcpStream, runtime::Builder, sync::Semaphore, sync::mpsc, task::JoinSet};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Bytes, Message, protocol::WebSocketConfig},
};
use tokio_util::either::Either;
use vantiq_connector::ServerConfig;

use crate::workload::{Ask, Config, Done, Event, ROWS_IN_A_PARTIAL, Reading, Then, padding};

/// As ours: handshakes at once.
const HANDSHAKES: usize = 32;
/// As ours.
const READ_BUFFER: usize = 4 * 1024;
const WRITE_BUFFER: usize = 16 * 1024;
/// How many notifications are written before acknowledgements are looked for.
const BURST: usize = 64;

type Socket = WebSocketStream<Either<TcpStream, TlsStream<TcpStream>>>;

/// Is the client.
pub(crate) fn run() -> ExitCode {
    let runtime = Builder::new_current_thread().enable_all().build().expect("there is a thread");
    match runtime.block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Where to connect, and how.
struct Server {
    address: String,
    url: String,
    tls: Option<TlsConnector>,
    handshakes: Semaphore,
}

async fn serve() -> Result<()> {
    let config = ServerConfig::load("serverConfig/server.config")?;
    let tls = config.get("caCertificateFile").map(tls).transpose()?;
    let target = config.get("targetServer").context("the server is named")?;
    let address = target.rsplit('/').next().context("it has an address")?.to_owned();
    let handshakes = Semaphore::new(HANDSHAKES);
    let server = Arc::new(Server { address, url: config.url(), tls, handshakes });
    let mut sources = JoinSet::new();
    for name in config.sources() {
        let (server, name) = (Arc::clone(&server), name.clone());
        sources.spawn(async move {
            loop {
                if let Err(error) = session(&server, &name).await {
                    eprintln!("{name}: {error:#}");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
    }
    while sources.join_next().await.is_some() {}
    Ok(())
}

fn tls(authority: &str) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.trim())?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn session(server: &Server, name: &str) -> Result<()> {
    let handshake = server.handshakes.acquire().await?;
    let mut socket = dial(server).await?;
    let validate = r#"{"op":"validate","resourceName":"system.credentials","object":"token"}"#;
    socket.send(Message::text(validate)).await?;
    next(&mut socket).await?;
    let request = format!(r#"{{"op":"connectExtension","resourceName":"sources","resourceId":"{name}"}}"#);
    socket.send(Message::text(request)).await?;
    let message = next(&mut socket).await?;
    drop(handshake);
    let envelope: Envelope<'_> = serde_json::from_slice(&message)?;
    let configure: Configure = serde_json::from_str(envelope.object.context("a configuration")?.get())?;
    let (late_tx, late_rx) = mpsc::unbounded_channel();
    let text = padding(configure.config.notification_bytes);
    let link = Link { name, text, published: 0, sending: false, sent: 0, acknowledged: 0, last: false };
    link.run(socket, late_tx, late_rx).await
}

async fn dial(server: &Server) -> Result<Socket> {
    let tcp = TcpStream::connect(&server.address).await?;
    tcp.set_nodelay(true)?;
    let stream = match &server.tls {
        Some(tls) => Either::Right(tls.connect(ServerName::try_from("127.0.0.1")?, tcp).await?),
        None => Either::Left(tcp),
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER);
    let (socket, _) = client_async_with_config(&server.url, stream, Some(config)).await?;
    Ok(socket)
}

async fn next(socket: &mut Socket) -> Result<Bytes> {
    Ok(socket.next().await.context("the link is open")??.into_data())
}

#[derive(Deserialize)]
struct Envelope<'a> {
    op: Option<&'a str>,
    #[serde(borrow, rename = "messageHeaders")]
    headers: Option<Headers<'a>>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Headers<'a> {
    #[serde(rename = "REPLY_ADDR_HEADER")]
    reply: Option<&'a str>,
}

#[derive(Deserialize)]
struct Configure {
    config: Config,
}

#[derive(Serialize)]
struct Answer<'a, T> {
    status: u16,
    headers: ReplyTo<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<T>,
}

#[derive(Serialize)]
struct ReplyTo<'a> {
    #[serde(rename = "X-Reply-Address")]
    address: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a, T> {
    op: &'a str,
    resource_name: &'a str,
    resource_id: &'a str,
    object: T,
}

fn answer<T: Serialize>(status: u16, address: &str, body: Option<T>) -> Result<Message> {
    let answer = Answer { status, headers: ReplyTo { address }, body };
    Ok(Message::text(serde_json::to_string(&answer)?))
}

/// The state of one link.
struct Link<'a> {
    name: &'a str,
    text: String,
    published: u64,
    sending: bool,
    sent: u64,
    acknowledged: u64,
    /// Whether all acknowledgements are to be reported once they have come.
    last: bool,
}

type Late = mpsc::UnboundedSender<Message>;

impl Link<'_> {
    async fn run(
        mut self,
        mut socket: Socket,
        late_tx: Late,
        mut late_rx: mpsc::UnboundedReceiver<Message>,
    ) -> Result<()> {
        loop {
            let message = match socket.next().now_or_never() {
                Some(message) => message,
                None if self.sending => {
                    self.burst(&mut socket).await?;
                    tokio::task::yield_now().await;
                    continue;
                }
                None => {
                    socket.flush().await?;
                    tokio::select! {
                        message = socket.next() => message,
                        Some(answer) = late_rx.recv() => {
                            socket.feed(answer).await?;
                            continue;
                        }
                    }
                }
            };
            let message = message.context("the link is open")??;
            if message.is_binary() {
                self.take(&mut socket, message.into_data(), &late_tx).await?;
            }
        }
    }

    async fn burst(&mut self, socket: &mut Socket) -> Result<()> {
        for _ in 0..BURST {
            let message = self.notification(Reading::new(self.sent, &self.text))?;
            self.sent += 1;
            socket.feed(message).await?;
        }
        Ok(socket.flush().await?)
    }

    fn notification<T: Serialize>(&self, object: T) -> Result<Message> {
        let notification =
            Notification { op: "notification", resource_name: "sources", resource_id: self.name, object };
        Ok(Message::text(serde_json::to_string(&notification)?))
    }

    async fn take(&mut self, socket: &mut Socket, message: Bytes, late: &Late) -> Result<()> {
        let envelope: Envelope<'_> = serde_json::from_slice(&message)?;
        let object = envelope.object.map_or("null", RawValue::get);
        match envelope.op {
            Some("publish") => self.publish(socket, serde_json::from_str(object)?).await,
            Some("query") => {
                let address = envelope.headers.and_then(|headers| headers.reply).context("an address")?;
                query(socket, serde_json::from_str(object)?, address, late).await
            }
            _ => {
                self.acknowledged += 1;
                self.report(socket).await
            }
        }
    }

    async fn publish(&mut self, socket: &mut Socket, event: Event) -> Result<()> {
        std::hint::black_box((event.celsius, event.text.len()));
        self.published += 1;
        match event.then {
            Then::Nothing => {}
            Then::Report => {
                let done = Done { done: std::mem::take(&mut self.published) };
                socket.feed(self.notification(done)?).await?;
            }
            Then::Notify => {
                let message = self.notification(Reading::new(event.sequence, &self.text))?;
                socket.feed(message).await?;
            }
            Then::Start => self.sending = true,
            Then::Stop => {
                (self.sending, self.last) = (false, true);
                self.report(socket).await?;
            }
        }
        Ok(())
    }

    async fn report(&mut self, socket: &mut Socket) -> Result<()> {
        if self.last && self.acknowledged == self.sent {
            self.last = false;
            socket.feed(self.notification(Done { done: self.acknowledged })?).await?;
        }
        Ok(())
    }
}

async fn query(socket: &mut Socket, ask: Ask, address: &str, late: &Late) -> Result<()> {
    if ask.sleep_ms > 0 {
        let answer = answer(200, address, Some(&Reading::new(ask.sequence, "a row")))?;
        let late = late.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ask.sleep_ms)).await;
            // A link that is gone has nobody to answer to.
            let _ = late.send(answer);
        });
        return Ok(());
    }
    if ask.rows == 0 {
        return Ok(socket.feed(answer(200, address, Some(&Reading::new(ask.sequence, "a row")))?).await?);
    }
    for from in (0..ask.rows).step_by(usize::try_from(ROWS_IN_A_PARTIAL)?) {
        let rows: Vec<_> =
            (from..from + ROWS_IN_A_PARTIAL).map(|number| Reading::new(number, "a row")).collect();
        socket.feed(answer(100, address, Some(rows))?).await?;
    }
    Ok(socket.feed(answer::<()>(204, address, None)?).await?)
}
