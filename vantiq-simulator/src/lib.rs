//! A Vantiq server on your desk, to develop and test connectors against.
//!
//! A [`Simulator`] listens on 127.0.0.1, serves this machine only unless told otherwise, and speaks the server's half of the connector (extension source)
//! protocol: it checks the token, hands out configurations, acknowledges notifications and watches over
//! the answers to its queries. Through a [`Source`] a test does what the rest of Vantiq would do (publish,
//! query, reconfigure, remove) and what networks do (cut, reset, fall silent). Everything that is not known
//! for certain about real servers is a switch on the [`SimulatorBuilder`].
//!
//! ```no_run
//! use serde_json::json;
//! use vantiq_simulator::{Cut, Simulator};
//!
//! # async fn example() -> Result<(), vantiq_simulator::SimulatorError> {
//! let simulator = Simulator::builder().source("thermostat", json!({"unit": "celsius"})).start().await?;
//! println!("{}", simulator.server_config());
//!
//! // ... start a connector with that configuration, then:
//! let thermostat = simulator.source("thermostat");
//! thermostat.wait_attached().await?;
//! thermostat.publish(json!({"target": 21})).await?;
//! thermostat.expect_notification(|event| event.object["accepted"] == 21).await?;
//! assert_eq!(thermostat.query(json!({"op": "current"})).row().await?["value"], 21.5);
//!
//! thermostat.cut(Cut::Abort).await?;
//! thermostat.wait_sessions(2).await?;
//! assert!(simulator.violations().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! A conversation of several steps is a [`Scenario`]. What any connector has to keep is checked by [`Conformance`].
//!
//! # Bad networks
//!
//! A [`FaultProxy`] between a connector and its server delays, slices, swallows and cuts, switchable while it
//! runs and repeatable by its seed. A [`Check`] says afterwards what was lost, overtaken or repeated.
//!
//! # Waiting
//!
//! Every wait ends by itself: queries after the [query timeout](SimulatorBuilder::query_timeout), the rest
//! after the [deadline](SimulatorBuilder::deadline) with an error that says what was awaited. Nothing has
//! to be polled: [`Simulator::wait_for`] looks again after each change.
//!
//! # Memory
//!
//! Messages of both directions are kept up to the [recording limit](SimulatorBuilder::recording_limit), violations,
//! ends of links, faults and ended queries up to fixed numbers, the parts of an answer that nobody has taken up to the
//! [answer limit](SimulatorBuilder::answer_limit). A connector that does not read makes
//! [`Source::publish`] wait after a short queue. Up to 256 events of 256 KiB wait for each subscriber, of 10,000
//! subscriptions at most; a request body has at most 8 MiB, and what is created by requests stays until it is deleted. Answers and acknowledgements for a connector that sends
//! and never reads do pile up, in proportion to what it sends.
//!
//! # Applications
//!
//! The same port has as much of Vantiq's REST interface as has to do with sources, and events for subscribers on the
//! WebSocket, so that Vantiq's client SDKs can use it (PROTOCOL section 11; the crate's README has the list). A
//! subscriber that does not read loses events beyond 256.
//!
//! # Not here
//!
//! No TLS, no other resources.
#![forbid(unsafe_code)]

/// The README's examples, compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod acknowledge;
mod builder;
mod chatter;
mod check;
mod conformance;
mod console;
mod control;
mod cut;
mod desk;
mod envelope;
mod error;
mod excerpt;
mod fault;
mod fault_word;
mod guard;
mod hostile;
mod http;
mod inbound;
mod incident;
mod json_text;
#[cfg(feature = "kept-token")]
mod kept_token;
mod ledger;
mod link;
mod query;
mod recording;
mod refusal;
mod registry;
mod rest;
mod scenario;
mod script;
mod seat;
mod server;
mod settings;
mod shared;
mod simulator;
mod socket;
mod source;
mod subscriptions;
mod this_machine;
mod upgrade;
mod validation;

pub use acknowledge::{Acknowledge, AcknowledgeOrder, EventPredicate};
pub use builder::SimulatorBuilder;
pub use check::{Check, CheckReport, Duplicate, DuplicateCause, ReceiptSays};
pub use conformance::{
    Conformance, ConformanceCheck, ConformanceReport, ConformanceResult, ConformanceVerdict,
};
pub use cut::{Cut, Ending, LinkEnd};
pub use desk::Desk;
pub use error::{SimulatorError, SimulatorErrorKind};
pub use fault::{BlackHole, CutKind, CutRecord, Direction, FaultProxy, FaultProxyBuilder, Line, RefuseBy};
/// For the program; no part of the API.
#[doc(hidden)]
pub use fault_word::{AcknowledgeWord, CutWord, Fault, RefusalWord};
pub use hostile::HostileFrames;
/// For the program; no part of the API.
#[doc(hidden)]
pub use json_text::{NotJson, Slip, json_text};
#[cfg(feature = "kept-token")]
pub use kept_token::kept_token;
pub use query::{ErrorBody, PendingQuery, Query, QueryReply};
pub use recording::{FrameKind, Notification, Received};
pub use refusal::Refusal;
pub use scenario::{Scenario, ScenarioError, ScenarioErrorKind, ScenarioQuery};
pub use simulator::Simulator;
pub use socket::RawFrame;
pub use source::Source;
/// For the program; no part of the API.
#[doc(hidden)]
pub use this_machine::is_this_machine;
pub use tokio_util::sync::CancellationToken;
pub use upgrade::UpgradeReply;
pub use validation::{FailureBody, ValidateReply};
