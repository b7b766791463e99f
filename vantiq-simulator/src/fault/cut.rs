//! How a [`FaultProxy`](crate::FaultProxy) ends connections, and the record of it.

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

/// A way to end a connection through a [`FaultProxy`](crate::FaultProxy), on both sides at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CutKind {
    /// TCP FIN. What is on its way is forwarded before, as far as the receiver takes it at once.
    Fin,
    /// TCP RST. What is on its way is lost.
    Reset,
    /// A random part of what is on its way is forwarded, then TCP FIN.
    MidFrameFin,
    /// A random part of what is on its way is forwarded, then TCP RST.
    MidFrameReset,
}

impl CutKind {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Fin, Self::Reset, Self::MidFrameFin, Self::MidFrameReset];

    pub(super) fn random(rng: &mut StdRng) -> Self {
        Self::ALL[rng.random_range(..Self::ALL.len())]
    }

    pub(super) fn is_mid_frame(self) -> bool {
        matches!(self, Self::MidFrameFin | Self::MidFrameReset)
    }

    pub(super) fn resets(self) -> bool {
        matches!(self, Self::Reset | Self::MidFrameReset)
    }
}

/// One connection that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutRecord {
    /// When, on Tokio's clock.
    pub at: Instant,
    /// How.
    pub kind: CutKind,
    /// The connection, from 1. Where every connection became a link, it is the number of the link, too.
    pub connection: u64,
    /// Bytes that were forwarded to the server over this connection.
    pub to_server: u64,
    /// Bytes that were forwarded to the client over this connection.
    pub to_client: u64,
    /// Bytes that were read from either side and thrown away by the cut.
    pub lost: u64,
}
