//! [`Dialer`]: opens a WebSocket to the server, through a proxy and TLS where they are wanted.

use std::{error::Error, io, sync::OnceLock, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    rustls::{self, pki_types::ServerName},
};
use tokio_tungstenite::{client_async_with_config, tungstenite};
use tokio_util::either::Either;

use super::{
    CertificateFile, CustomDial, Endpoint, Proxy, Socket, TransportError, TransportErrorKind,
    net::Net,
    tls,
    ws::{self, Tcp, Traffic},
};

/// Bytes that the operating system keeps without having sent them: within the time for which a peer may be
/// silent (20 s) they pass over any link with 7 KB/s or more.
#[cfg(target_os = "linux")]
const MAX_NOT_SENT: u32 = 128 * 1024;

/// What the operating system takes at most: some 24 days, in milliseconds as a C `int`.
#[cfg(target_os = "linux")]
const LONGEST_UNACKNOWLEDGED: Duration = Duration::from_millis(i32::MAX as u64);

/// How the server of a connector set is reached. One for the whole set: the system's certificates are read
/// once, at the first encrypted dial.
#[derive(Debug)]
pub(crate) struct Dialer {
    pub(crate) endpoint: Endpoint,
    pub(crate) proxy: Proxy,
    pub(crate) ca_certificate_file: Option<CertificateFile>,
    pub(crate) disable_ssl_verification: bool,
    /// For how long the peer may leave sent bytes unacknowledged.
    pub(crate) unacknowledged: Duration,
    /// Instead of TCP and of the proxy.
    pub(crate) custom: Option<CustomDial>,
    tls: OnceLock<Tls>,
}

/// The TLS settings once made; `TlsConnector` has no `Debug` of its own.
struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Dialer {
    pub(crate) fn new(
        endpoint: Endpoint,
        proxy: Proxy,
        ca_certificate_file: Option<CertificateFile>,
        disable_ssl_verification: bool,
        unacknowledged: Duration,
        custom: Option<CustomDial>,
    ) -> Self {
        Self {
            endpoint,
            proxy,
            ca_certificate_file,
            disable_ssl_verification,
            unacknowledged,
            custom,
            tls: OnceLock::new(),
        }
    }

    /// Reads what the settings name, so that a mistake shows at the start and not at the first dial.
    pub(crate) fn check(&self) -> Result<(), TransportError> {
        self.proxy.check()?;
        if self.endpoint.is_tls() { self.tls().map(drop) } else { Ok(()) }
    }

    /// Opens a WebSocket. The caller sets the deadline.
    ///
    /// Cancel safe: what was opened so far is closed.
    pub(crate) async fn dial(&self) -> Result<Socket, TransportError> {
        let traffic = Traffic::default();
        let tcp = traffic.count(self.connect().await?);
        let stream = if self.endpoint.is_tls() {
            Either::Right(Box::new(self.encrypt(tcp).await?))
        } else {
            Either::Left(tcp)
        };
        let request = tungstenite::ClientRequestBuilder::new(self.endpoint.uri().clone());
        client_async_with_config(request, stream, Some(ws::config()))
            .await
            .map(|(stream, _)| Socket::new(stream, traffic))
            .map_err(|error| self.upgrade_error(error))
    }

    async fn connect(&self) -> Result<Net, TransportError> {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        let unreachable = |error| {
            TransportError::new(TransportErrorKind::Unreachable { url: self.endpoint.to_string() }, error)
        };
        if let Some(custom) = &self.custom {
            return custom.dial(host, port).await.map(Either::Right).map_err(unreachable);
        }
        let tcp = match self.proxy.tunnel(&self.endpoint).await {
            Some(tunnel) => tunnel?,
            None => TcpStream::connect((host, port)).await.map_err(unreachable)?,
        };
        tune(&tcp, self.unacknowledged)
            .map_err(|error| TransportError::new(TransportErrorKind::Lost, error))?;
        Ok(Either::Left(tcp))
    }

    async fn encrypt(&self, tcp: Tcp) -> Result<tokio_rustls::client::TlsStream<Tcp>, TransportError> {
        let failed = |source: Box<dyn Error + Send + Sync>| {
            TransportError::new(TransportErrorKind::Tls { url: self.endpoint.to_string() }, source)
        };
        let name =
            ServerName::try_from(self.endpoint.host().to_owned()).map_err(|error| failed(error.into()))?;
        let connector = self.tls()?;
        connector.connect(name, tcp).await.map_err(|error| {
            if is_plain(&error) {
                return failed("the server does not encrypt; write `http://` in `targetServer`".into());
            }
            failed(error.into())
        })
    }

    fn tls(&self) -> Result<&TlsConnector, TransportError> {
        if let Some(tls) = self.tls.get() {
            return Ok(&tls.0);
        }
        let made = tls::connector(self.ca_certificate_file.as_ref(), self.disable_ssl_verification)?;
        Ok(&self.tls.get_or_init(|| Tls(made)).0)
    }

    fn upgrade_error(&self, error: tungstenite::Error) -> TransportError {
        let url = self.endpoint.to_string();
        match error {
            tungstenite::Error::Http(response) => {
                TransportErrorKind::Upgrade { status: response.status().as_u16(), url }.into()
            }
            // Whoever hangs up on an upgrade is most likely another program.
            tungstenite::Error::Io(error) => {
                TransportError::new(TransportErrorKind::NotWebSocket { url }, error)
            }
            other => TransportError::new(TransportErrorKind::NotWebSocket { url }, other),
        }
    }
}

/// Sets what the operating system's defaults get wrong for a link that is to live for months.
fn tune(tcp: &TcpStream, unacknowledged: Duration) -> io::Result<()> {
    // Answers and events are small and awaited; three times faster than with Nagle's algorithm.
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(tcp);
        // Else a dead link on which nothing is read, and so no silence noticed, is found after a quarter of an hour.
        socket.set_tcp_user_timeout(Some(unacknowledged.min(LONGEST_UNACKNOWLEDGED)))?;
        // What the peer has not acknowledged tells a slow link from a dead one, only if not all fits in here.
        socket.set_tcp_notsent_lowat(MAX_NOT_SENT)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = unacknowledged;
    Ok(())
}

/// Whether what came back is no TLS at all: a server that waits for `http`.
fn is_plain(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)))
}
