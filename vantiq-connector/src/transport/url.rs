//! [`Endpoint`]: where a WebSocket is opened, made from `targetServer` (`docs/PROTOCOL.md`, section 1).

use std::{fmt, net::Ipv6Addr};

use http::{
    Uri,
    uri::{Authority, PathAndQuery},
};

/// The path that is appended to a server's address: the raw WebSocket entry of version 1 of the API.
const WEBSOCKET_PATH: &str = "/api/v1/wsock/websocket";

/// The address of a server's WebSocket. `Display` shows the URL that is dialled, without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    uri: Uri,
    tls: bool,
}

/// A `targetServer` that is no address of a server; each says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("is empty; write the address of the Vantiq server, such as https://dev.vantiq.com")]
    Empty,
    #[error("has the scheme `{0}`; write https, http, wss or ws")]
    Scheme(String),
    #[error("has a user name in it; write the address alone and the token under `authToken`")]
    UserInfo,
    #[error("names no host; write an address such as https://dev.vantiq.com")]
    NoHost,
    #[error("is not a URL ({0}); write an address such as https://dev.vantiq.com")]
    Syntax(String),
}

impl Endpoint {
    /// Reads `targetServer`: `https` where it has no scheme; `http` becomes `ws` and `https` `wss`; the
    /// WebSocket path is appended unless it is there already, in any version.
    pub(crate) fn parse(target: &str) -> Result<Self, UrlError> {
        let target = target.trim();
        if target.is_empty() {
            return Err(UrlError::Empty);
        }
        let (scheme, rest) = target.split_once("://").unwrap_or(("https", target));
        // Wherever the `@` is: a password may have any sign in it, and is not to be taken for a port or path.
        if target.split('?').next().is_some_and(|address| address.contains('@')) {
            return Err(UrlError::UserInfo);
        }
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(UrlError::Scheme(scheme.to_owned()));
            }
            _ => return Err(UrlError::Syntax("what is before `://` is no scheme".into())),
        };
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let authority = authority_of(authority)?;
        let path_and_query = websocket_path(path_and_query)?;
        let uri = Uri::builder()
            .scheme(if tls { "wss" } else { "ws" })
            .authority(authority)
            .path_and_query(path_and_query)
            .build()
            .map_err(|error| UrlError::Syntax(error.to_string()))?;
        Ok(Self { uri, tls })
    }

    /// The `ws` or `wss` URL.
    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Whether the connection is encrypted.
    pub(crate) const fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        let host = self.uri.host().expect("`parse` refuses an address without a host");
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// The port, where none is written 443 or 80.
    pub(crate) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.tls { 443 } else { 80 })
    }

    /// The same as an `https` or `http` URL, by which proxies are chosen.
    #[cfg(feature = "proxy")]
    pub(crate) fn http_uri(&self) -> Uri {
        let mut parts = self.uri.clone().into_parts();
        parts.scheme = Some(if self.tls { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP });
        // Written out, for a tunnel needs the port and would take 443 for `http` as well.
        parts.authority = format!("{}:{}", self.uri.host().unwrap_or_default(), self.port())
            .parse()
            .ok()
            .or(parts.authority);
        Uri::from_parts(parts).expect("a URL stays a URL with another scheme")
    }
}

fn authority_of(text: &str) -> Result<Authority, UrlError> {
    let authority: Authority = match text {
        "" => return Err(UrlError::NoHost),
        text => text.parse().map_err(|_| UrlError::Syntax("its host or port is malformed".into()))?,
    };
    let port = text.rsplit_once(':').filter(|(host, _)| !text.ends_with(']') && !host.is_empty());
    match port {
        _ if authority.host().is_empty() => Err(UrlError::NoHost),
        _ if !is_host_and_port(text) => Err(UrlError::Syntax("its host is malformed".into())),
        // `Authority` accepts any digits as a port and then says that there is none.
        Some((_, port)) if authority.port_u16().is_none() => Err(UrlError::Syntax(match port {
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => format!("`{port}` is not a port"),
            // Not quoted: the `@` behind a password may be missing.
            _ => "its port is not a number".into(),
        })),
        _ => Ok(authority),
    }
}

/// Whether brackets and colons are where they belong: `Authority` accepts them anywhere, and then takes the
/// wrong part for the host and knows of no port.
fn is_host_and_port(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        Some((address, port)) => {
            // The zone behind `%` is a name.
            let address = address.split('%').next().unwrap_or_default();
            address.parse::<Ipv6Addr>().is_ok() && (port.is_empty() || port.starts_with(':'))
        }
        None => !text.contains(['[', ']']) && text.matches(':').count() <= 1,
    }
}

/// The path with the WebSocket path at its end, and the query as it was. A fragment means nothing here.
fn websocket_path(text: &str) -> Result<PathAndQuery, UrlError> {
    let text = text.split('#').next().unwrap_or_default();
    let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
    let base = path.trim_end_matches('/');
    let mut whole = base.to_owned();
    if !is_websocket_path(base) {
        whole.push_str(WEBSOCKET_PATH);
    }
    if let Some(query) = query {
        whole.push('?');
        whole.push_str(query);
    }
    let syntax = || UrlError::Syntax("its path has characters that a URL cannot have".into());
    // RFC 3986, section 2; `PathAndQuery` lets them pass.
    if !whole.is_ascii() {
        return Err(syntax());
    }
    whole.parse().map_err(|_| syntax())
}

/// Whether `path` ends in `/api/v<digits>/wsock/websocket`.
fn is_websocket_path(path: &str) -> bool {
    let version = path.strip_suffix("/wsock/websocket").and_then(|rest| rest.rsplit_once("/api/v"));
    version.is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        let authority = self.uri.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{authority}{}", self.uri.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(target: &str) -> String {
        Endpoint::parse(target).unwrap().uri().to_string()
    }

    /// The table of section 1, row by row; where the SDKs differ or break, its 'Implement' paragraph decides.
    #[test]
    fn every_row_of_the_protocols_table() {
        for (target, expected) in [
            ("https://dev.vantiq.com", "wss://dev.vantiq.com/api/v1/wsock/websocket"),
            ("https://dev.vantiq.com/", "wss://dev.vantiq.com/api/v1/wsock/websocket"),
            ("http://localhost:8080", "ws://localhost:8080/api/v1/wsock/websocket"),
            ("ws://h", "ws://h/api/v1/wsock/websocket"),
            ("wss://h", "wss://h/api/v1/wsock/websocket"),
            ("dev.vantiq.com", "wss://dev.vantiq.com/api/v1/wsock/websocket"),
            ("localhost:8080", "wss://localhost:8080/api/v1/wsock/websocket"),
            ("https://h/api/v47/wsock/websocket", "wss://h/api/v47/wsock/websocket"),
            ("https://h/base", "wss://h/base/api/v1/wsock/websocket"),
            ("https://h/api/v1/wsock/websocket/", "wss://h/api/v1/wsock/websocket"),
            ("https://h?x=1", "wss://h/api/v1/wsock/websocket?x=1"),
            ("HTTPS://H", "wss://H/api/v1/wsock/websocket"),
        ] {
            assert_eq!(url(target), expected, "{target}");
        }
    }

    #[test]
    fn what_the_table_leaves_open() {
        for (target, expected) in [
            ("  https://h \t", "wss://h/api/v1/wsock/websocket"),
            ("https://h/base/api/v2/wsock/websocket", "wss://h/base/api/v2/wsock/websocket"),
            ("https://h/api/v/wsock/websocket", "wss://h/api/v/wsock/websocket/api/v1/wsock/websocket"),
            ("https://h#top", "wss://h/api/v1/wsock/websocket"),
            ("https://[::1]:8443", "wss://[::1]:8443/api/v1/wsock/websocket"),
            ("wSs://h/", "wss://h/api/v1/wsock/websocket"),
        ] {
            assert_eq!(url(target), expected, "{target}");
        }
    }

    #[test]
    fn host_and_port_are_those_to_dial() {
        let parts = |target| {
            let endpoint = Endpoint::parse(target).unwrap();
            (endpoint.host().to_owned(), endpoint.port(), endpoint.is_tls())
        };
        assert_eq!(parts("https://h"), ("h".into(), 443, true));
        assert_eq!(parts("http://h"), ("h".into(), 80, false));
        assert_eq!(parts("ws://[::1]:9"), ("::1".into(), 9, false));
    }

    #[test]
    fn what_is_no_address_says_what_to_write() {
        for (target, part) in [
            ("", "is empty"),
            ("   ", "is empty"),
            ("ftp://h", "scheme `ftp`"),
            ("https://", "names no host"),
            ("https://:8080", "host"),
            ("https:///path", "names no host"),
            ("https://user:hunter2@h", "user name"),
            ("https://user:hunter2/3@h", "user name"),
            ("user:hunter2@https://h", "user name"),
            ("user:hunter2://h", "no scheme"),
            ("https://user:hunter2", "port"),
            ("https://h:99999", "`99999` is not a port"),
            ("https://h:x", "port"),
            ("https://h h", "malformed"),
            ("https://h[::1]", "malformed"),
            ("https://[h]", "malformed"),
            ("https://[::1]h", "malformed"),
            ("https://user:hunter2[::1]", "malformed"),
            ("https://fe80::1", "malformed"),
            ("https://h/a b", "path"),
        ] {
            let error = Endpoint::parse(target).unwrap_err().to_string();
            assert!(error.contains(part), "{target}: {error}");
            assert!(error.contains("write"), "{target}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn display_hides_the_query() {
        let endpoint = Endpoint::parse("https://h/?token=hunter2").unwrap();
        assert_eq!(endpoint.to_string(), "wss://h/api/v1/wsock/websocket");
    }
}
