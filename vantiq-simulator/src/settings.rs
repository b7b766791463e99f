//! [`Settings`]: what a [`SimulatorBuilder`](crate::SimulatorBuilder) has decided for good.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::acknowledge::{Acknowledge, AcknowledgeOrder};
use crate::inbound::Inbound;
use crate::ledger::TimerRestart;
use crate::recording::FrameKind;

/// Largest inbound message, the Vert.x default seen in 2019 (PROTOCOL section 10).
pub(crate) const INBOUND_LIMIT: usize = 262_144;
/// Time for a query since the last data (PROTOCOL section 10).
const QUERY_TIMEOUT: Duration = Duration::from_millis(33_750);
/// Longest wait of a test.
const DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of parts of an answer that wait for who asked.
const ANSWER_LIMIT: usize = 64 << 20;
/// Bytes of messages to keep.
const RECORDING_LIMIT: usize = 1 << 30;

#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Settings {
    pub(crate) any_source: bool,
    pub(crate) allow_remote: bool,
    pub(crate) token: String,
    pub(crate) login: Option<(String, String)>,
    pub(crate) frames: FrameKind,
    pub(crate) acknowledge: Acknowledge,
    pub(crate) connect_acknowledgements: (usize, AcknowledgeOrder),
    pub(crate) request_id_headers: bool,
    pub(crate) close_after_refusal: bool,
    pub(crate) query_timeout: Duration,
    pub(crate) timer_restart: TimerRestart,
    pub(crate) inbound_limit: usize,
    pub(crate) close_oversized: bool,
    pub(crate) one_source_per_link: bool,
    pub(crate) refuse_late_answers: bool,
    pub(crate) only_objects: bool,
    /// Both for ever where nobody said otherwise.
    pub(crate) ping_interval: Option<Duration>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) answer_limit: usize,
    pub(crate) recording_limit: usize,
    pub(crate) deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            any_source: false,
            allow_remote: false,
            token: format!("{:032x}", rand::random::<u128>()),
            login: None,
            frames: FrameKind::Binary,
            acknowledge: Acknowledge::default(),
            connect_acknowledgements: (0, AcknowledgeOrder::default()),
            request_id_headers: false,
            close_after_refusal: false,
            query_timeout: QUERY_TIMEOUT,
            timer_restart: TimerRestart::default(),
            inbound_limit: INBOUND_LIMIT,
            close_oversized: false,
            one_source_per_link: false,
            refuse_late_answers: false,
            only_objects: false,
            ping_interval: None,
            idle_timeout: None,
            answer_limit: ANSWER_LIMIT,
            recording_limit: RECORDING_LIMIT,
            deadline: DEADLINE,
        }
    }
}

impl Settings {
    /// Whether a `validate` or `authenticate` presents the right credentials in the right place.
    pub(crate) fn credentials_match(&self, message: &Inbound<'_>) -> bool {
        // Servers before R1.28 took `users`, later ones do not (PROTOCOL section 3).
        if message.resource_name.as_deref() != Some("system.credentials") {
            return false;
        }
        let presented: Value = message
            .object
            .map(RawValue::get)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        match message.op.as_deref() {
            Some("validate") => presented == self.token,
            _ => self.login.as_ref().is_some_and(|(username, password)| {
                presented["username"] == *username && presented["password"] == *password
            }),
        }
    }
}

// By hand, to leave the credentials out.
impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Settings")
            .field("any_source", &self.any_source)
            .field("frames", &self.frames)
            .field("acknowledge", &self.acknowledge)
            .field("connect_acknowledgements", &self.connect_acknowledgements)
            .field("request_id_headers", &self.request_id_headers)
            .field("close_after_refusal", &self.close_after_refusal)
            .field("query_timeout", &self.query_timeout)
            .finish_non_exhaustive()
    }
}
