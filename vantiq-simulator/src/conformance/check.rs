//! [`ConformanceCheck`]: what there is to be checked, in the order in which it is.

use std::fmt;

/// One promise that a connector keeps. Its `Display` is the promise in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConformanceCheck {
    /// It attaches, and when it is stopped it closes the WebSocket with a closing handshake and ends without an
    /// error. Three times, for a source has to be free afterwards. Where it does not attach at all, this fails and
    /// all else is skipped.
    OpensAndCloses,
    /// It understands text and binary frames, messages in several frames, and statuses before and behind
    /// `configureExtension`; it ignores operations and statuses that mean nothing to it, and keeps its link.
    UnderstandsServers,
    /// It answers 1,000 queries one after another, each exactly once. Needs a query.
    AnswersOneByOne,
    /// It answers 1,000 queries, 32 at once, each exactly once. Needs a query.
    AnswersAtOnce,
    /// It answers a query that it does not understand with one error within 2 s, which has a code and a template,
    /// and keeps its link. Needs a query and an unknown one.
    AnswersUnknownQueries,
    /// It answers in several messages where one would be larger than a server takes. Needs a query and a large one.
    SplitsLargeAnswers,
    /// It goes on where acknowledgements are late, missing, or more than expected. Needs a query and a publish.
    CopesWithAcknowledgements,
    /// It attaches again after each cut of its link (closed, reset, in the middle of a frame) and after a restart of
    /// the server, while queries and publishes go on, and answers nothing that was asked over a link that is gone.
    /// Without a query or a publish there is that much less load.
    ReconnectsUnderLoad,
    /// It tries again where its `connectExtension` is refused.
    RetriesWhereRefused,
    /// After `reconnectRequired` it sends `connectExtension` again, takes the configuration that comes, and answers;
    /// what was in flight is answered, or lost with the link.
    TakesNewConfigurations,
    /// With a configuration that it cannot use, from the beginning or later, it stays or comes back; it answers
    /// queries with an error, and works again with the next configuration. Needs a query and such a configuration.
    SurvivesInvalidConfigurations,
    /// Stopped with queries in flight, it answers each exactly once before it closes the WebSocket, and ends within
    /// the grace. Needs a query; a slow one makes sure that something is in flight.
    ShutsDown,
}

impl ConformanceCheck {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::OpensAndCloses,
        Self::UnderstandsServers,
        Self::AnswersOneByOne,
        Self::AnswersAtOnce,
        Self::AnswersUnknownQueries,
        Self::SplitsLargeAnswers,
        Self::CopesWithAcknowledgements,
        Self::ReconnectsUnderLoad,
        Self::RetriesWhereRefused,
        Self::TakesNewConfigurations,
        Self::SurvivesInvalidConfigurations,
        Self::ShutsDown,
    ];
}

impl fmt::Display for ConformanceCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OpensAndCloses => "opens and closes its link",
            Self::UnderstandsServers => "understands every way a server speaks",
            Self::AnswersOneByOne => "answers queries one after another",
            Self::AnswersAtOnce => "answers queries at once",
            Self::AnswersUnknownQueries => "answers an unknown query with an error",
            Self::SplitsLargeAnswers => "splits answers that are too large",
            Self::CopesWithAcknowledgements => "copes with acknowledgements late and missing",
            Self::ReconnectsUnderLoad => "reconnects under load",
            Self::RetriesWhereRefused => "tries again where it is refused",
            Self::TakesNewConfigurations => "takes new configurations",
            Self::SurvivesInvalidConfigurations => "survives an invalid configuration",
            Self::ShutsDown => "shuts down with queries in flight",
        })
    }
}
