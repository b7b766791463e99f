//! The network beneath: TCP, or whatever the owner of the connector set dials instead.

use std::{future::Future, io, pin::Pin, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_util::either::Either;

use crate::contain::{Contained, Panicked, contain};

/// A connection, before it is counted, encrypted and spoken over.
pub(super) type Net = Either<TcpStream, Box<dyn Duplex>>;

/// Any stream of bytes in both directions.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Duplex>>> + Send>>;

/// Dials a host and a port in another way than by TCP.
#[derive(Clone)]
pub(crate) struct CustomDial(Arc<dyn Fn(String, u16) -> Dialing + Send + Sync>);

impl CustomDial {
    pub(crate) fn new<F, Fut, S>(dial: F) -> Self
    where
        F: Fn(String, u16) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        Self(Arc::new(move |host, port| {
            let dialing = dial(host, port);
            Box::pin(async move { dialing.await.map(|stream| Box::new(stream) as Box<dyn Duplex>) })
        }))
    }

    pub(super) async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Duplex>> {
        let panicked = |_: Panicked| io::Error::other("the function given to `dial_with` panicked");
        let dialing = contain(|| (self.0)(host.to_owned(), port)).map_err(panicked)?;
        Contained::new(dialing).await.map_err(panicked)?
    }
}

impl std::fmt::Debug for CustomDial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CustomDial")
    }
}
