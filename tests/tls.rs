//! Encrypted connections and proxies: the options that the Java extension SDK lacks (`docs/PROTOCOL.md`,
//! section 14, J16).
#![forbid(unsafe_code)]

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig as TlsServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};
use vantiq_connector::{ConnectorError, ServerConfigBuilder, TransportErrorKind};
use vantiq_connector_tests::{Connector, Log, Quiet, chain, config_at, hasty};
use vantiq_simulator::{Cut, Simulator};

fn settings(simulator: &Simulator, url: &str) -> ServerConfigBuilder {
    config_at(url, simulator.token(), &["a"])
}

async fn simulator() -> Simulator {
    Simulator::builder().source("a", json!({})).start().await.unwrap()
}

/// Connects, answers, loses the link, connects again, answers, stops.
async fn works(simulator: &Simulator, settings: ServerConfigBuilder) {
    let source = simulator.source("a");
    let sessions = source.sessions();
    let connector = Connector::start_with(hasty::<Quiet>(), settings);
    source.wait_sessions(sessions + 1).await.unwrap();
    assert_eq!(source.query("first").await.unwrap().body, "first");
    source.cut(Cut::Close).await.unwrap();
    source.wait_sessions(sessions + 2).await.unwrap();
    // More than one TLS record and one buffer.
    let large = json!("x".repeat(200_000));
    assert_eq!(source.query(large.clone()).await.unwrap().body, large);
    connector.stop().await.unwrap();
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// What becomes of a set that is to fail where the server cannot be reached.
async fn fails(settings: ServerConfigBuilder) -> (TransportErrorKind, String) {
    Connector::unreachable(hasty::<Quiet>(), settings).await
}

/// A certificate for `host`, and the file with the authority that signed it.
struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authority_file: PathBuf,
}

impl Certificate {
    fn new(test: &str, host: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![host.to_owned()])
            .unwrap()
            .signed_by(&key, &Issuer::new(authority, authority_key))
            .unwrap();
        let authority_file = file(&format!("{test}.pem"), &authority_certificate.pem());
        Self { chain: vec![certificate.into()], key: key.into(), authority_file }
    }

    fn authority_file(&self) -> &str {
        self.authority_file.to_str().unwrap()
    }
}

fn file(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, content).unwrap();
    file
}

/// Takes TLS off connections and passes them on to the simulator, as a load balancer does.
struct TlsFront {
    url: String,
    task: JoinHandle<()>,
}

impl TlsFront {
    async fn start(simulator: &Simulator, certificate: &Certificate) -> Self {
        let config = TlsServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificate.chain.clone(), certificate.key.clone_key())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let behind = simulator.addr();
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client that does not trust the certificate hangs up here.
                    let Ok(connection) = acceptor.accept(connection).await else { return };
                    pass_on(connection, behind).await;
                });
            }
        });
        Self { url, task }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(mut connection: impl AsyncRead + AsyncWrite + Unpin, to: std::net::SocketAddr) {
    let mut behind = TcpStream::connect(to).await.unwrap();
    // How it ends is for the two ends to judge.
    let _ = copy_bidirectional(&mut connection, &mut behind).await;
}

/// J16. A server whose certificate is signed by an authority of the operator's own.
#[tokio::test]
async fn an_encrypted_server_is_reached_with_its_authority() {
    let simulator = simulator().await;
    let certificate = Certificate::new("trusted", "127.0.0.1");
    let front = TlsFront::start(&simulator, &certificate).await;
    for url in [front.url.clone(), front.url.replace("https", "wss"), front.url.replace("https://", "")] {
        let settings = settings(&simulator, &url);
        works(&simulator, settings.set("caCertificateFile", certificate.authority_file())).await;
    }
}

/// J16. An unknown authority is an error that says so.
#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let simulator = simulator().await;
    let front = TlsFront::start(&simulator, &Certificate::new("unknown", "127.0.0.1")).await;
    let (kind, shown) = fails(settings(&simulator, &front.url)).await;
    assert!(matches!(kind, TransportErrorKind::Tls { .. }), "{kind:?}");
    let url = front.url.replace("https", "wss");
    assert!(shown.contains(&format!("no encrypted connection to {url}/api")), "{shown}");
    assert!(shown.contains("UnknownIssuer"), "{shown}");
    assert_eq!(simulator.dials(), 0, "nothing was sent to a server that is not trusted");
}

/// J16. Another authority than the server's, and a certificate for another host.
#[tokio::test]
async fn a_certificate_of_another_authority_or_host_is_refused() {
    let simulator = simulator().await;
    let other = Certificate::new("other_authority", "127.0.0.1");
    let front = TlsFront::start(&simulator, &Certificate::new("its_own", "127.0.0.1")).await;
    let with_other = settings(&simulator, &front.url).set("caCertificateFile", other.authority_file());
    let (kind, shown) = fails(with_other).await;
    assert!(matches!(kind, TransportErrorKind::Tls { .. }), "{shown}");

    let elsewhere = Certificate::new("other_host", "vantiq.example.com");
    let front = TlsFront::start(&simulator, &elsewhere).await;
    let with_name = settings(&simulator, &front.url).set("caCertificateFile", elsewhere.authority_file());
    let (kind, shown) = fails(with_name).await;
    assert!(matches!(kind, TransportErrorKind::Tls { .. }), "{shown}");
    assert!(shown.contains("vantiq.example.com"), "it says for whom it is: {shown}");
    assert_eq!(simulator.dials(), 0);
}

/// J16. A server that does not speak TLS at all, and a client that should have.
#[tokio::test]
async fn tls_to_a_plain_port_and_a_plain_connection_to_tls_are_told() {
    let simulator = simulator().await;
    let url = simulator.url().replace("http", "https");
    let (kind, shown) = fails(settings(&simulator, &url)).await;
    assert!(matches!(kind, TransportErrorKind::Tls { .. }), "{shown}");

    let front = TlsFront::start(&simulator, &Certificate::new("plain", "127.0.0.1")).await;
    let url = front.url.replace("https", "http");
    let (_, shown) = fails(settings(&simulator, &url)).await;
    assert!(shown.contains("the server cannot be reached: "), "{shown}");
}

/// J16. `connectKWArgs={"disableSslVerification": true}`, as for the Python SDK.
#[tokio::test]
async fn verification_can_be_switched_off() {
    let simulator = simulator().await;
    let front = TlsFront::start(&simulator, &Certificate::new("unverified", "vantiq.example.com")).await;
    let settings = |kw_args: &str| settings(&simulator, &front.url).set("connectKWArgs", kw_args);
    let (kind, _) = fails(settings(r#"{"disableSslVerification": false}"#)).await;
    assert!(matches!(kind, TransportErrorKind::Tls { .. }));
    works(&simulator, settings(r#"{"disableSslVerification": true}"#)).await;
}

/// J16. A file of authorities that holds none is a mistake of the settings: it shows when they are read, also
/// where nothing is encrypted.
#[test]
fn a_file_without_a_certificate_is_told_by_name() {
    let missing = file("missing.pem", "");
    std::fs::remove_file(&missing).unwrap();
    for file in [
        missing,
        file("empty.pem", ""),
        file("text.pem", "no certificate"),
        file("half.pem", "-----BEGIN CERTIFICATE-----\nMII"),
        file("other.pem", "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"),
    ] {
        for url in ["https://127.0.0.1", "http://127.0.0.1"] {
            let settings = config_at(url, "token", &["a"]).set("caCertificateFile", file.to_str().unwrap());
            let error = ConnectorError::from(settings.build().unwrap_err());
            assert_eq!(error.exit_code(), 64);
            let shown = chain(&error);
            assert!(
                shown.contains("`caCertificateFile` names") && shown.contains(file.to_str().unwrap()),
                "{shown}"
            );
        }
    }
}

/// A proxy that opens tunnels, or refuses to with this status line.
struct ConnectProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    tunnels: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl ConnectProxy {
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let tunnels = Arc::<AtomicUsize>::default();
        let (noted, opened) = (Arc::clone(&heads), Arc::clone(&tunnels));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(proxy(connection, refusal, Arc::clone(&noted), Arc::clone(&opened)));
            }
        });
        Self { port, heads, tunnels, task }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for ConnectProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn proxy(
    connection: TcpStream,
    refusal: Option<&'static str>,
    heads: Arc<Mutex<Vec<String>>>,
    tunnels: Arc<AtomicUsize>,
) {
    let mut connection = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().unwrap().push(head);
    if let Some(refusal) = refusal {
        let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
        return connection.write_all(answer.as_bytes()).await.unwrap();
    }
    tunnels.fetch_add(1, Ordering::Relaxed);
    connection.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    pass_on(connection, target.parse().expect("CONNECT names address and port")).await;
}

/// J16. Through a proxy that wants a password, which nobody else gets to see.
#[tokio::test]
async fn a_proxy_is_used_with_its_credentials() {
    let log = Log::capture();
    let simulator = simulator().await;
    let proxy = ConnectProxy::start(None).await;
    for (credentials, basic) in [
        ("user:canary", Some("dXNlcjpjYW5hcnk=")),
        // `p@ss`, as it must be written in a URL.
        ("user:p%40ss", Some("dXNlcjpwQHNz")),
        ("", None),
    ] {
        let at = if credentials.is_empty() { "" } else { "@" };
        let url = format!("http://{credentials}{at}127.0.0.1:{}", proxy.port);
        let tunnels = proxy.tunnels.load(Ordering::Relaxed);
        works(&simulator, settings(&simulator, &simulator.url()).set("proxy", url)).await;
        assert_eq!(proxy.tunnels.load(Ordering::Relaxed), tunnels + 2, "one for each link");
        let head = proxy.heads().pop().unwrap();
        assert!(head.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", simulator.addr())), "{head}");
        let sent = head.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization:"));
        match basic {
            None => assert_eq!(sent, None),
            Some(basic) => {
                assert!(sent.is_some_and(|line| line.ends_with(&format!("Basic {basic}"))), "{sent:?}");
            }
        }
    }
    assert!(!log.text().contains("canary") && !log.text().contains("dXNlcjpjYW5hcnk"));
}

/// J16. TLS through a proxy: the tunnel carries what the proxy cannot read.
#[tokio::test]
async fn an_encrypted_server_is_reached_through_a_proxy() {
    let simulator = simulator().await;
    let certificate = Certificate::new("tunnelled", "127.0.0.1");
    let front = TlsFront::start(&simulator, &certificate).await;
    let proxy = ConnectProxy::start(None).await;
    let settings = settings(&simulator, &front.url)
        .set("caCertificateFile", certificate.authority_file())
        .set("proxy", format!("http://127.0.0.1:{}", proxy.port));
    works(&simulator, settings).await;
    assert_eq!(proxy.tunnels.load(Ordering::Relaxed), 2);
}

/// J16. A proxy that refuses, and one that is not there; the password stays where it is.
#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_told() {
    let log = Log::capture();
    let simulator = simulator().await;
    for refusal in ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"] {
        let proxy = ConnectProxy::start(Some(refusal)).await;
        let url = format!("http://user:canary@127.0.0.1:{}", proxy.port);
        let (kind, shown) = fails(settings(&simulator, &simulator.url()).set("proxy", &url)).await;
        assert_eq!(kind, TransportErrorKind::Proxy);
        assert!(shown.contains("the proxy opened no tunnel: ") && !shown.contains("canary"), "{shown}");

        // Without being asked to fail it goes on trying.
        let settings = settings(&simulator, &simulator.url()).set("proxy", &url);
        let connector = Connector::start_with(hasty::<Quiet>(), settings);
        let state = connector.waiting("a", "").await;
        assert!(
            !format!("{state} {:?} {:?}", connector.set, connector.set.server_config()).contains("canary")
        );
        connector.stop().await.unwrap();
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://user:canary@127.0.0.1:{port}");
    let (kind, shown) = fails(settings(&simulator, &simulator.url()).set("proxy", url)).await;
    assert_eq!(kind, TransportErrorKind::Proxy);
    assert!(!shown.contains("canary"), "{shown}");
    assert!(!log.text().contains("canary"), "{}", log.text());
    assert_eq!(simulator.dials(), 0);
}

/// J16. A proxy that accepts and says nothing does not hold the dial for ever.
#[tokio::test]
async fn a_silent_proxy_meets_the_deadline_of_the_dial() {
    let simulator = simulator().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = settings(&simulator, &simulator.url()).set("proxy", url);
    let hasty = hasty::<Quiet>().dial_deadline(Duration::from_millis(200));
    let (kind, _) = Connector::unreachable(hasty, settings).await;
    assert!(matches!(kind, TransportErrorKind::Deadline { .. }), "{kind:?}");
}

/// J16. Neither does a server that accepts the connection and never answers the TLS handshake.
#[tokio::test]
async fn a_silent_tls_server_meets_the_deadline_of_the_dial() {
    let simulator = simulator().await;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let settings = settings(&simulator, &url);
    let hasty = hasty::<Quiet>().dial_deadline(Duration::from_millis(200));
    let (kind, _) = Connector::unreachable(hasty, settings).await;
    assert!(matches!(kind, TransportErrorKind::Deadline { .. }), "{kind:?}");
}
