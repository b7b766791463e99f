//! What server and clients say to each other beyond the protocol: the same types for every client.

use serde::{Deserialize, Serialize};

/// The configuration document.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    /// How large notifications are, as JSON.
    pub(crate) notification_bytes: usize,
}

/// A publish.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) sequence: u64,
    pub(crate) celsius: f64,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) then: Then,
}

/// What to do after a publish was counted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) enum Then {
    #[default]
    Nothing,
    /// Notify [`Done`] with the number of publishes.
    Report,
    /// Notify a reading.
    Notify,
    /// Notify readings as fast as can be, until told to stop: as many at once as `sequence` says, one by one for 0.
    Start,
    /// Then await what is left of the receipts and notify [`Done`] with their number.
    Stop,
}

/// A query: one row, or many that are streamed, maybe after some time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ask {
    pub(crate) sequence: u64,
    #[serde(default)]
    pub(crate) rows: u64,
    #[serde(default)]
    pub(crate) sleep_ms: u64,
}

/// What is notified and answered.
#[derive(Debug, Serialize)]
pub(crate) struct Reading<'a> {
    pub(crate) sequence: u64,
    pub(crate) celsius: f64,
    pub(crate) text: &'a str,
}

impl<'a> Reading<'a> {
    pub(crate) const fn new(sequence: u64, text: &'a str) -> Self {
        Self { sequence, celsius: 21.5, text }
    }
}

/// The last notification of a trial.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) done: u64,
}

/// Rows in each partial answer.
pub(crate) const ROWS_IN_A_PARTIAL: u64 = 100;
/// Rows of one streamed query.
pub(crate) const ROWS: u64 = 10_000;

/// A text with which a [`Reading`] has so many bytes as JSON.
pub(crate) fn padding(bytes: usize) -> String {
    const WITHOUT: usize = r#"{"sequence":1234567,"celsius":21.5,"text":""}"#.len();
    "x".repeat(bytes.saturating_sub(WITHOUT))
}
