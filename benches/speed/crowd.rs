//! [`Crowd`]: the server of many idle links, plain or by TLS, in a thread of its own.

use std::{
    fs,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::watch,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use tokio_util::sync::CancellationToken;

use vantiq_connector_tests::{
    dialogue::{self, Step},
    frame::{Frame, Inbox},
};

use crate::process::authority_file;

/// How long all may take to come.
const PATIENCE: Duration = Duration::from_mins(3);
const CONFIG: &str = r#"{"notificationBytes":0}"#;

/// The server of many idle links.
pub(crate) struct Crowd {
    pub(crate) url: String,
    /// The file with the certificate to trust, where links are encrypted.
    pub(crate) authority: Option<String>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Option<TlsAcceptor>,
    attached: watch::Sender<usize>,
    /// All links of one generation end together.
    generation: watch::Sender<u64>,
}

impl Crowd {
    pub(crate) fn start(is_encrypted: bool) -> Result<Self> {
        let (tls, authority) = if is_encrypted { certificate()? } else { (None, None) };
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let scheme = if is_encrypted { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            tls,
            attached: watch::Sender::default(),
            generation: watch::Sender::default(),
        });
        let (stop, server) = (CancellationToken::new(), Arc::clone(&shared));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("there is a thread");
            runtime.block_on(stopped.run_until_cancelled(server.listen(listener)));
        });
        Ok(Self { url, authority, shared, stop, thread: Some(thread) })
    }

    /// Waits until so many links are attached.
    pub(crate) fn wait_for(&self, links: usize) -> Result<()> {
        let mut attached = self.shared.attached.subscribe();
        let runtime = Builder::new_current_thread().enable_time().build()?;
        runtime.block_on(async {
            let all = timeout(PATIENCE, attached.wait_for(|attached| *attached >= links)).await;
            all.with_context(|| format!("{} of {links} came", *self.shared.attached.borrow()))?.map(drop)?;
            Ok(())
        })
    }

    /// Ends all links at once.
    pub(crate) fn end_links(&self) {
        self.shared.attached.send_replace(0);
        self.shared.generation.send_modify(|generation| *generation += 1);
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("it does not block");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let shared = Arc::clone(&self);
            tokio::spawn(async move {
                let mut generation = shared.generation.subscribe();
                tokio::select! {
                    // The client is gone, or will try again.
                    _ = shared.link(stream) => {}
                    _ = generation.changed() => {}
                }
            });
        }
    }

    async fn link(&self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        // Else ten thousand links would wait in the system for a minute after their end.
        stream.set_zero_linger()?;
        match &self.tls {
            Some(tls) => self.serve(tls.accept(stream).await?).await,
            None => self.serve(stream).await,
        }
    }

    async fn serve(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
        let (mut inbox, mut is_upgraded) = (Inbox::default(), false);
        loop {
            let mut bytes = [0; 1_024];
            let count = stream.read(&mut bytes).await?;
            if count == 0 {
                bail!("the client is gone");
            }
            inbox.extend(&bytes[..count]);
            let mut out = Vec::new();
            if !is_upgraded {
                let Some((length, response)) = dialogue::upgrade(inbox.rest())? else { continue };
                inbox.skip(length);
                out.extend(response.into_bytes());
                is_upgraded = true;
            }
            let configured = take(&mut inbox, &mut out)?;
            stream.write_all(&out).await?;
            stream.flush().await?;
            if configured {
                self.attached.send_modify(|attached| *attached += 1);
            }
        }
    }
}

/// Answers what came. Returns whether the link was configured.
fn take(inbox: &mut Inbox, out: &mut Vec<u8>) -> Result<bool> {
    let mut configured = false;
    while let Some(frame) = inbox.next_frame() {
        match frame {
            Frame::Message(message) => {
                configured |= matches!(dialogue::answer(inbox.at(message), CONFIG, out)?, Step::Configured);
            }
            Frame::Ping(pong) => out.extend(pong),
            Frame::Close => bail!("the client closes the link"),
        }
    }
    Ok(configured)
}

/// A certificate for this host, and the file with the authority that signed it.
fn certificate() -> Result<(Option<TlsAcceptor>, Option<String>)> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    // One that has the name of what it signs passes for self-signed with OpenSSL.
    authority.distinguished_name.push(DnType::CommonName, "authority of the benchmark");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let file = authority_file();
    fs::write(&file, authority.self_signed(&authority_key)?.pem())?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?
        .signed_by(&key, &Issuer::new(authority, authority_key))?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)?;
    let file = file.to_str().context("the folder has a name in UTF-8")?.to_owned();
    Ok((Some(TlsAcceptor::from(Arc::new(config))), Some(file)))
}
