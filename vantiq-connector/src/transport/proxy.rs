//! [`Proxy`]: through which proxy, if any, the server is reached.

use std::fmt;

use http::Uri;
use tokio::net::TcpStream;

use super::{Endpoint, TransportError, TransportErrorKind};

/// The key `proxy` of `server.config`. `Debug` shows no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say; none for this machine itself.
    #[default]
    Environment,
    /// None, whatever the environment says.
    None,
    /// This one, for every host.
    Url(String),
}

impl Proxy {
    /// Reads `none` or the `http` URL of a proxy.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("none") {
            return Some(Self::None);
        }
        let uri: Uri = text.parse().ok()?;
        let usable = uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
        usable.then(|| Self::Url(text.to_owned()))
    }

    /// Without the feature `proxy` there are no tunnels: a proxy that was asked for is an error.
    pub(super) fn check(&self) -> Result<(), TransportError> {
        if cfg!(not(feature = "proxy")) && matches!(self, Self::Url(_)) {
            let unsupported = "`proxy` needs the feature `proxy` of vantiq-connector";
            return Err(TransportError::new(TransportErrorKind::Settings, unsupported));
        }
        Ok(())
    }

    /// A connection to `endpoint` through the proxy; `None` where it is to be dialled directly.
    #[cfg(feature = "proxy")]
    pub(super) async fn tunnel(&self, endpoint: &Endpoint) -> Option<Result<TcpStream, TransportError>> {
        use hyper_util::client::proxy::matcher::Matcher;

        let matcher = match self {
            // Our own machine is not the proxy's; `NO_PROXY` need not say so.
            Self::Environment if is_loopback(endpoint.host()) => return None,
            Self::Environment => Matcher::from_env(),
            Self::None => return None,
            Self::Url(url) => Matcher::builder().all(url.as_str()).build(),
        };
        let proxy = matcher.intercept(&endpoint.http_uri())?;
        Some(tunnel(proxy.uri(), proxy.basic_auth().cloned(), endpoint).await)
    }

    /// Without the feature every server is dialled directly; [`check`](Self::check) has seen to the rest.
    #[cfg(not(feature = "proxy"))]
    #[expect(clippy::unused_async, reason = "the same signature as with the feature")]
    pub(super) async fn tunnel(&self, _: &Endpoint) -> Option<Result<TcpStream, TransportError>> {
        None
    }
}

/// Whether `host` is this machine.
#[cfg(feature = "proxy")]
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(feature = "proxy")]
async fn tunnel(
    proxy: &Uri,
    credentials: Option<http::HeaderValue>,
    endpoint: &Endpoint,
) -> Result<TcpStream, TransportError> {
    use hyper_util::client::legacy::connect::{HttpConnector, proxy::Tunnel};
    use tower_service::Service;

    if proxy.scheme_str() != Some("http") {
        let unsupported = "only proxies with an http URL are supported";
        return Err(TransportError::new(TransportErrorKind::Proxy, unsupported));
    }
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let mut tunnel = Tunnel::new(proxy.clone(), tcp);
    if let Some(credentials) = credentials {
        tunnel = tunnel.with_auth(credentials);
    }
    let stream = tunnel
        .call(endpoint.http_uri())
        .await
        .map_err(|error| TransportError::new(TransportErrorKind::Proxy, error))?;
    Ok(stream.into_inner())
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::None => f.write_str("None"),
            Self::Url(url) => {
                let host =
                    url.rsplit_once('@').map_or_else(|| url.trim_start_matches("http://"), |(_, host)| host);
                write!(f, "Url({host})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_none_or_an_http_url() {
        assert_eq!(Proxy::parse("None"), Some(Proxy::None));
        assert!(Proxy::parse("http://h:3128").is_some());
        assert!(Proxy::parse("http://user:word@h:3128").is_some());
        for text in ["h:3128", "https://h", "socks5://h", "http://", "x y"] {
            assert_eq!(Proxy::parse(text), None, "{text}");
        }
    }

    #[cfg(feature = "proxy")]
    #[test]
    fn this_machine_is_known_by_its_names() {
        assert!(["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"].into_iter().all(is_loopback));
        assert!(!["localhost.example", "10.0.0.1", "h"].into_iter().any(is_loopback));
    }

    #[test]
    fn debug_shows_no_password() {
        let proxy = Proxy::parse("http://user:hunter2@h:3128").unwrap();
        assert_eq!(format!("{proxy:?}"), "Url(h:3128)");
    }
}
