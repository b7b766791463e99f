//! How a link ends: [`Cut`] when the simulator ends it, [`Ending`] for every way there is.

/// A way to end a link from the server's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// The WebSocket closing handshake, status 1000. A silent link is closed without it.
    Close,
    /// TCP RST; what was not yet sent is lost.
    Abort,
    /// Half a frame, then TCP FIN.
    MidFrame,
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The connector began the closing handshake.
    ClosedByConnector {
        /// Status code of its close frame, if it sent one.
        code: Option<u16>,
    },
    /// The connector's socket went away without a closing handshake, or it broke the WebSocket protocol.
    Lost,
    /// The simulator ended it: because it was told to, or because another connector took the source over.
    Cut(Cut),
    /// The connector had sent nothing for the [idle timeout](crate::SimulatorBuilder::idle_timeout).
    Idle,
    /// The connector sent more than the [limit](crate::SimulatorBuilder::close_oversized).
    Oversized,
    /// The simulator was stopped; the link was closed with status 1001.
    Stopped,
}

/// One link that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkEnd {
    /// The link, from 1.
    pub link: u64,
    /// How it ended.
    pub ending: Ending,
}
