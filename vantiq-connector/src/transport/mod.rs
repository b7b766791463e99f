//! From an address to an open WebSocket: TCP, proxy, TLS, upgrade. Knows no sources.
//!
//! Entry point: [`Dialer::dial`].

mod dial;
mod error;
mod net;
mod proxy;
mod tls;
mod url;
mod ws;

pub(crate) use dial::Dialer;
pub use error::{TransportError, TransportErrorKind};
pub(crate) use net::CustomDial;
pub(crate) use proxy::Proxy;
pub(crate) use tls::CertificateFile;
pub(crate) use url::Endpoint;
pub(crate) use ws::{Frame, FrameOut, Socket, SocketEvent};
