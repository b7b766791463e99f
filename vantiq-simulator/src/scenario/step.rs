//! [`Step`]: one step of a scenario, and its name in words.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::answer::ExpectedAnswer;
use crate::cut::Cut;
use crate::excerpt::excerpt;
use crate::recording::Notification;
use crate::refusal::Refusal;

/// Something to do or to wait for.
#[derive(Clone)]
pub(super) enum Step {
    Attached,
    AttachedAgain,
    Publish(Value),
    Query(Value, ExpectedAnswer),
    Notification(Value),
    NotificationWhere(String, Test<Notification>),
    Configure(Value),
    Cut(Cut),
    Refuse(usize, Refusal),
}

impl fmt::Debug for Step {
    /// In words, as they leave out what may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached => f.write_str("attached"),
            Self::AttachedAgain => f.write_str("attached again"),
            Self::Publish(object) => write!(f, "publish {}", excerpt(object)),
            Self::Query(object, _) => write!(f, "query {}", excerpt(object)),
            Self::Notification(object) => write!(f, "notification {}", excerpt(object)),
            Self::NotificationWhere(words, _) => write!(f, "notification: {words}"),
            // A configuration may hold secrets.
            Self::Configure(_) => f.write_str("configure"),
            Self::Cut(cut) => write!(f, "cut by {cut:?}"),
            Self::Refuse(times, refusal) => write!(f, "refuse {times} times with {refusal:?}"),
        }
    }
}

/// A question of the test about something that came.
pub(super) struct Test<T>(Arc<dyn Fn(&T) -> bool + Send + Sync>);

impl<T> Test<T> {
    pub(super) fn new(is_expected: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_expected))
    }

    pub(super) fn says_yes(&self, to: &T) -> bool {
        (self.0)(to)
    }
}

// By hand: `T` need not be `Clone`.
impl<T> Clone for Test<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Test<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").finish_non_exhaustive()
    }
}
