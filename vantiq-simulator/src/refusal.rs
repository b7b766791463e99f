//! [`Refusal`]: why a `connectExtension` is turned down (PROTOCOL section 5).

use crate::envelope::{self, NAMESPACE, Status};

/// Umbrella code of refusals; a constant of 2018, nothing newer is public.
pub(crate) const CONNECT_FAILED: &str = "io.vantiq.sourcemgr.connectExtension";
/// Code for a source that is switched off.
const NOT_ACTIVE: &str = "io.vantiq.sourcemgr.source.not.active";
/// Status of the refusals whose status is not known.
const REFUSED: u16 = 400;

/// The reasons for which a real server turns down a `connectExtension`.
///
/// The messages carry the literal parts that are known from the field. Set with
/// [`Source::refuse`](crate::Source::refuse).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// `... does not have an associated stream`: the source restarts, retry soon.
    NoAssociatedStream,
    /// `Timed out waiting for reply from io.vantiq.consumer.monitored.cluster`: a stale owner.
    OwnershipTimeout,
    /// Another connector holds the source.
    AlreadyConnected,
    /// There is no such source.
    UnknownSource,
    /// The source is not active.
    NotActive,
    /// Any other, where one is known better.
    Other {
        /// Status of the message, 300 or above.
        status: u16,
        /// `code` in the error body.
        code: String,
        /// `message` in the error body.
        message: String,
    },
    /// This status and no body at all.
    BodyMissing(u16),
    /// No answer of any kind. [`Source::configure_now`](crate::Source::configure_now) can end the wait.
    Silent,
}

impl Refusal {
    /// The status message, `None` for [`Silent`](Self::Silent).
    pub(crate) fn status(&self, source: &str) -> Option<Status> {
        let (code, message) = match self {
            Self::Silent => return None,
            Self::BodyMissing(status) => return Some(Status::bare(*status)),
            Self::Other { status, code, message } => return Some(Status::failure(*status, code, message)),
            Self::NotActive => not_active(source),
            other => (CONNECT_FAILED, umbrella(source, &other.tail(source))),
        };
        Some(Status::failure(REFUSED, code, &message))
    }

    fn tail(&self, source: &str) -> String {
        match self {
            Self::NoAssociatedStream => format!(
                "The request cannot be processed because the source {NAMESPACE}:{source} does not have \
                 an associated stream."
            ),
            Self::OwnershipTimeout => format!(
                "The Deactivation operation to claim ownership on member {member} failed for source \
                 {NAMESPACE}:{source}: Timed out waiting for reply from \
                 io.vantiq.consumer.monitored.cluster.{member}",
                member = envelope::uuid()
            ),
            Self::UnknownSource => format!("The source {NAMESPACE}:{source} does not exist."),
            // The wording of `AlreadyConnected` is not public; the others never get here.
            _ => format!("A connection for the source {NAMESPACE}:{source} already exists."),
        }
    }
}

/// Code and message of a source that is switched off.
pub(crate) fn not_active(source: &str) -> (&'static str, String) {
    (NOT_ACTIVE, format!("The source {NAMESPACE}:{source} is not currently active."))
}

fn umbrella(source: &str, tail: &str) -> String {
    format!(
        "The CONNECT_EXTENSION operation on data source {NAMESPACE}:{source} did not complete \
         successfully: {tail}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(refusal: &Refusal) -> String {
        refusal.status("thermostat").map(|status| status.to_text()).unwrap_or_default()
    }

    #[test]
    fn refusals_carry_the_literal_words_of_a_real_server() {
        for (refusal, words) in [
            (Refusal::NoAssociatedStream, "does not have an associated stream"),
            (
                Refusal::OwnershipTimeout,
                "Timed out waiting for reply from io.vantiq.consumer.monitored.cluster",
            ),
            (Refusal::NotActive, "The source simulator:thermostat is not currently active."),
            (Refusal::UnknownSource, "The CONNECT_EXTENSION operation on data source simulator:thermostat"),
            (Refusal::AlreadyConnected, "already exists"),
        ] {
            assert!(text(&refusal).contains(words), "{refusal:?}: {}", text(&refusal));
        }
    }

    #[test]
    fn a_refusal_without_body_is_only_a_status() {
        assert_eq!(text(&Refusal::BodyMissing(403)), r#"{"status":403}"#);
        assert_eq!(text(&Refusal::Silent), "");
        let other = Refusal::Other { status: 409, code: "c".to_owned(), message: "m".to_owned() };
        assert!(
            text(&other).contains(r#""status":409"#) && text(&other).contains(r#""code":"c","message":"m""#)
        );
    }
}
