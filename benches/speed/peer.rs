//! [`Peer`]: the server of one link, blocking, on the thread that measures.

use std::{
    env,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use vantiq_connector_tests::{
    dialogue::{self, Step},
    frame::{Frame, Inbox},
};

use crate::{
    process::{Client, Process},
    queries::frame,
    trial::Trial,
};

/// How long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(30);
/// Twice half a second, in which a connector wants nothing to happen, and more.
const REST: Duration = Duration::from_millis(1_300);

/// The server of one link, and the client at its other end, which may have other links.
pub(crate) struct Peer {
    pub(crate) process: Rc<Process>,
    /// What goes out with the next [`send`](Self::send).
    pub(crate) outbox: Vec<u8>,
    pub(crate) stream: TcpStream,
    inbox: Inbox,
}

impl Peer {
    /// Starts the client of `trial` and attaches its one source with this configuration.
    pub(crate) fn attach(trial: &Trial, notification_bytes: usize) -> Result<Self> {
        let mut peers = Self::attach_all(trial, 1, notification_bytes)?;
        peers.pop().context("one source has one link")
    }

    /// The same with so many sources; each has its link.
    pub(crate) fn attach_all(trial: &Trial, sources: usize, notification_bytes: usize) -> Result<Vec<Self>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let process = Rc::new(trial.start(&url, sources, None)?);
        let config = format!(r#"{{"notificationBytes":{notification_bytes}}}"#);
        let attach = |_| Self::accept(&listener, &process, &config).with_context(|| process.log());
        (0..sources).map(attach).collect()
    }

    fn accept(listener: &TcpListener, process: &Rc<Process>, config: &str) -> Result<Self> {
        let (process, stream) = (Rc::clone(process), accept(listener)?);
        let mut peer = Self { process, outbox: Vec::new(), stream, inbox: Inbox::default() };
        peer.shake_hands(config)?;
        Ok(peer)
    }

    fn shake_hands(&mut self, config: &str) -> Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(PATIENCE))?;
        let (length, response) = loop {
            self.receive()?;
            if let Some(upgrade) = dialogue::upgrade(self.inbox.rest())? {
                break upgrade;
            }
        };
        self.inbox.skip(length);
        self.stream.write_all(response.as_bytes())?;
        loop {
            self.receive()?;
            while let Some(Frame::Message(message)) = self.inbox.next_frame() {
                let step = dialogue::answer(self.inbox.at(message), config, &mut self.outbox)?;
                self.send()?;
                if matches!(step, Step::Configured) {
                    return Ok(());
                }
            }
        }
    }

    /// Reads once.
    pub(crate) fn receive(&mut self) -> Result<()> {
        let bytes = self.stream.read(self.inbox.room())?;
        if bytes == 0 {
            bail!("the client is gone: {}", self.process.log());
        }
        self.inbox.filled(bytes);
        Ok(())
    }

    /// Has one query answered and then says nothing for a while but for what pings want. Until a connector has seen
    /// such a moment it does not know which messages are acknowledged, and after 10,000 answers it makes one: for a
    /// second no answer goes out. That happens once in the life of a process, and is measured by itself.
    pub(crate) fn rest(&mut self, trial: &Trial) -> Result<()> {
        if trial.is_quick || trial.client != Client::Ours {
            return Ok(());
        }
        self.outbox.extend(frame(0, ""));
        self.send()?;
        self.stream.set_read_timeout(Some(REST / 20))?;
        let began = Instant::now();
        while began.elapsed() < REST {
            match self.stream.read(self.inbox.room()) {
                Ok(bytes) => self.inbox.filled(bytes),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
            while self.message()?.is_some() {}
            self.send()?;
        }
        Ok(self.stream.set_read_timeout(Some(PATIENCE))?)
    }

    /// The next message of what was read.
    pub(crate) fn message(&mut self) -> Result<Option<&[u8]>> {
        loop {
            match self.inbox.next_frame() {
                None => return Ok(None),
                Some(Frame::Message(message)) => return Ok(Some(self.inbox.at(message))),
                Some(Frame::Ping(pong)) => self.outbox.extend(pong),
                Some(Frame::Close) => bail!("the client closes the link: {}", self.process.log()),
            }
        }
    }

    /// Writes what was laid into the outbox.
    pub(crate) fn send(&mut self) -> Result<()> {
        if !self.outbox.is_empty() {
            self.stream.write_all(&self.outbox)?;
            self.outbox.clear();
        }
        Ok(())
    }
}

/// Whether a message is a notification by itself, not an answer.
pub(crate) fn is_notification(message: &[u8]) -> bool {
    message.starts_with(br#"{"op":"#)
}

/// The address to which a message answers: a number, as all addresses are here. Its status is checked.
pub(crate) fn answered(message: &[u8]) -> Result<(Status, usize)> {
    // Status and headers are at the beginning, whoever wrote them.
    let head = &message[..message.len().min(120)];
    let text = std::str::from_utf8(head).context("text")?;
    let (_, rest) = text.split_once("X-Reply-Address").with_context(|| format!("no answer: {text}"))?;
    let digits = rest.trim_start_matches(['"', ':', ' ']);
    let digits = &digits[..digits.find('"').context("the address ends")?];
    let (_, status) = text.split_once(r#""status":"#).context("an answer has a status")?;
    let status = match status.trim_start().get(..3) {
        Some("100") => Status::Partial,
        Some("200" | "204") => Status::Last,
        _ => bail!("an error: {}", String::from_utf8_lossy(message)),
    };
    Ok((status, digits.parse()?))
}

/// Whether more answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Partial,
    Last,
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let began = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if began.elapsed() > PATIENCE {
                    bail!("no client came");
                }
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The `server.config` of a client with the sources `source-0`, `source-1` and so on, these `settings`, and the lines
/// of `SETTINGS`.
pub(crate) fn server_config(url: &str, sources: usize, authority: Option<&str>, settings: &str) -> String {
    let names: Vec<_> = (0..sources).map(|number| format!("source-{number}")).collect();
    let authority = authority.map(|file| format!("caCertificateFile={file}\n")).unwrap_or_default();
    format!(
        "targetServer={url}\nauthToken=token\nsources={}\ntcpProbePort=0\nproxy=none\n{authority}{settings}\n{}\n",
        names.join(","),
        env::var("SETTINGS").unwrap_or_default()
    )
}
