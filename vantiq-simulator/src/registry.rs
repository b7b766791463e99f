//! [`Registry`]: what the server answers to each message of a connector (PROTOCOL sections 3 to 8).
//!
//! Decides and does not do: a message goes in, [`Effect`]s come out, and the [link](crate::link) carries
//! them out. No sockets, no timers, no tasks. Entry point: [`Registry::receive`].

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::acknowledge::{Acknowledge, AcknowledgeOrder, Candidate};
use crate::chatter::Chatter;
use crate::envelope::{self, NAMESPACE, Status};
use crate::excerpt::shortened;
use crate::inbound::Inbound;
use crate::ledger::{Answered, Ledger, Timing};
use crate::query::ErrorBody;
use crate::refusal::{CONNECT_FAILED, Refusal};
use crate::script::Script;
use crate::seat::{Admission, Applicant, Refused, Seat};
use crate::settings::Settings;
use crate::subscriptions::{Event, Subscriptions, TooMany};
use crate::validation::{self, AUTHENTICATION_FAILED, FAILURE_MESSAGE, ValidateReply};

/// The youngest violations that are kept; all are counted.
const VIOLATIONS_KEPT: usize = 1_000;
/// Longest part of an event that goes into a log line.
const EXCERPT: usize = 200;

/// Something that the link has to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Send this now.
    Reply(String),
    /// Send this after the delay, and never before an earlier acknowledgement.
    Acknowledge(Acknowledgement),
    /// Close this link, which may be another one.
    Close(u64),
    /// Close this link because the message was too large.
    Oversized,
    /// Tell this subscriber, which mostly is another link.
    Tell(Event),
}

/// A status message for what a connector sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Acknowledgement {
    pub(crate) text: String,
    pub(crate) delay: Duration,
    /// The accepted notifications that it is for, by number.
    pub(crate) notifications: Vec<u64>,
}

/// What came of a message.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) effects: Vec<Effect>,
    /// The source that the message is about, as far as that is known.
    pub(crate) source: Option<Arc<str>>,
    /// Whether it is a notification that was accepted.
    pub(crate) is_notification: bool,
}

/// The sources, the links' credentials and the open queries.
#[derive(Debug)]
pub(crate) struct Registry {
    settings: Arc<Settings>,
    seats: BTreeMap<Arc<str>, Seat>,
    validated: HashSet<u64>,
    pub(crate) queries: Ledger,
    subscriptions: Subscriptions,
    pub(crate) on_validate: Script<ValidateReply>,
    /// When credentials were refused last.
    pub(crate) refused_credentials: Option<SystemTime>,
    pub(crate) violations: VecDeque<String>,
    /// Violations so far.
    pub(crate) violation_count: u64,
    pub(crate) chatter: Chatter,
}

impl Registry {
    pub(crate) fn new(settings: Arc<Settings>, sources: Vec<(String, Value)>) -> Self {
        let seats =
            sources.into_iter().map(|(name, configuration)| (name.into(), Seat::existing(configuration)));
        Self {
            seats: seats.collect(),
            validated: HashSet::new(),
            queries: Ledger::new(settings.query_timeout, settings.timer_restart, settings.answer_limit),
            subscriptions: Subscriptions::default(),
            on_validate: Script::new(ValidateReply::Check),
            refused_credentials: None,
            violations: VecDeque::new(),
            violation_count: 0,
            chatter: Chatter::default(),
            settings,
        }
    }

    /// The source of this name, known or not.
    pub(crate) fn seat(&mut self, source: &str) -> &mut Seat {
        self.seats.entry(source.into()).or_default()
    }

    /// The source of this name, if it was ever mentioned.
    pub(crate) fn find(&self, source: &str) -> Option<&Seat> {
        self.seats.get(source)
    }

    /// The sources that exist, as far as they were mentioned.
    pub(crate) fn existing(&self) -> impl Iterator<Item = (&str, &Seat)> {
        let existing = self.seats.iter().filter(|(_, seat)| seat.exists(self.settings.any_source));
        existing.map(|(name, seat)| (&**name, seat))
    }

    /// Names of the sources that exist by name.
    pub(crate) fn listed(&self) -> Vec<String> {
        let listed = self.seats.iter().filter(|(_, seat)| seat.is_listed());
        listed.map(|(name, _)| name.to_string()).collect()
    }

    /// Decides what a message leads to; `number` is the one it has in the recording.
    pub(crate) fn receive(&mut self, link: u64, number: u64, payload: &[u8], now: Instant) -> Outcome {
        if payload.len() > self.settings.inbound_limit {
            if self.settings.close_oversized {
                return Outcome { effects: vec![Effect::Oversized], ..Outcome::default() };
            }
            return reply(&envelope::oversized(payload.len(), self.settings.inbound_limit));
        }
        match Inbound::parse(payload) {
            Ok(message) => {
                let mut outcome = self.dispatch(link, number, &message, now);
                outcome.source = outcome.source.or_else(|| self.name(named_source(&message)?));
                outcome
            }
            // The words of the error may quote a secret.
            Err(error) => {
                let place = format!("line {}, column {}", error.line(), error.column());
                self.violate(link, &format!("sent what cannot be read, at {place}"))
            }
        }
    }

    /// A link has ended, however it did.
    pub(crate) fn link_lost(&mut self, link: u64) {
        self.validated.remove(&link);
        self.queries.link_lost(link);
        self.subscriptions.link_lost(link);
        for (source, seat) in &mut self.seats {
            if seat.link_lost(link) {
                info!(link, %source, "detached");
            }
        }
    }

    /// The name of a source, shared with its seat where it has one.
    fn name(&self, source: &str) -> Option<Arc<str>> {
        let known = self.seats.get_key_value(source).map(|(name, _)| Arc::clone(name));
        known.or_else(|| Some(source.into()))
    }

    fn dispatch(&mut self, link: u64, number: u64, message: &Inbound<'_>, now: Instant) -> Outcome {
        let op = message.op.as_deref();
        if !(self.validated.contains(&link) || matches!(op, Some("validate" | "authenticate"))) {
            return self.violate(link, &format!("sent {} before validate", op.unwrap_or("an answer")));
        }
        match op {
            Some("validate" | "authenticate") => self.validate(link, message),
            Some("connectExtension") => self.connect(link, message),
            Some("notification") => self.notify(link, number, message, now),
            Some(op) if message.resource_name.as_deref() == Some("events") => {
                self.subscribe(link, op, message)
            }
            Some("publish") if message.resource_name.as_deref() == Some("topics") => {
                self.publish(link, message)
            }
            Some(op) => self.violate(link, &format!("sent the unknown op `{op}`")),
            None => self.answer(link, message, now),
        }
    }

    fn validate(&mut self, link: u64, message: &Inbound<'_>) -> Outcome {
        let refused = match self.on_validate.take() {
            ValidateReply::NoAnswer => return Outcome::default(),
            ValidateReply::Check if self.settings.credentials_match(message) => None,
            ValidateReply::Check => {
                warn!(link, "credentials refused; `authToken` is not the token of this simulator");
                Some(Status::failure(400, AUTHENTICATION_FAILED, FAILURE_MESSAGE))
            }
            ValidateReply::Refuse { status, body } => {
                info!(link, "credentials refused, as asked for");
                Some(Status::with_body(status, body.value()))
            }
        };
        let Some(refused) = refused else {
            self.validated.insert(link);
            let success = Status::with_body(200, Some(validation::success_body()));
            return reply(&success.echo(message.request_id()));
        };
        self.refused_credentials = Some(SystemTime::now());
        self.refuse(link, &refused.echo(message.request_id()))
    }

    fn connect(&mut self, link: u64, message: &Inbound<'_>) -> Outcome {
        let Some(source) = named_source(message) else {
            return self.violate(link, "sent a connectExtension that names no source");
        };
        if self.settings.one_source_per_link && self.holds_another(link, source) {
            let what = "The connection is used for another source.";
            return self.refuse(link, &Status::failure(400, CONNECT_FAILED, what).echo(self.echoed(message)));
        }
        let who = Applicant { link, secret: message.reconnect_secret().map(str::to_owned) };
        let any_source = self.settings.any_source;
        match self.seat(source).admit(who, any_source) {
            Admission::Admitted { evicted } => {
                info!(link, %source, "attached");
                self.admitted(source, message, evicted)
            }
            Admission::Refused(refusal) => {
                info!(link, %source, ?refusal, "connectExtension refused");
                self.turned_down(link, source, message, &refusal)
            }
        }
    }

    /// The sources that the link holds, held until it was evicted, or asked for last.
    pub(crate) fn sources_of(&self, link: u64) -> Vec<Arc<str>> {
        let of = self.seats.iter().filter(|(_, seat)| seat.knows(link));
        of.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Whether the link holds another source than this one.
    fn holds_another(&self, link: u64, source: &str) -> bool {
        self.seats.iter().any(|(name, seat)| &**name != source && seat.is_held_by(link))
    }

    fn admitted(&self, source: &str, message: &Inbound<'_>, evicted: Option<u64>) -> Outcome {
        let (configured, order) = self.settings.connect_acknowledgements;
        let least = usize::from(*self.policy(source) == Acknowledge::Everything);
        let acknowledgement = Effect::Reply(self.acknowledgement(message).to_text());
        let acknowledgements = std::iter::repeat_n(acknowledgement, configured.max(least));
        let document = self.find(source).map_or(&Value::Null, Seat::configuration);

        let mut effects: Vec<_> = evicted.map(Effect::Close).into_iter().collect();
        effects.push(Effect::Reply(envelope::configure_extension(source, document)));
        match order {
            AcknowledgeOrder::AfterConfiguration => effects.extend(acknowledgements),
            AcknowledgeOrder::BeforeConfiguration => {
                let configuration = effects.len() - 1;
                effects.splice(configuration..configuration, acknowledgements);
            }
        }
        Outcome { effects, ..Outcome::default() }
    }

    fn turned_down(&mut self, link: u64, source: &str, message: &Inbound<'_>, refusal: &Refusal) -> Outcome {
        let status = refusal.status(source);
        self.seat(source).story.last_refusal = Some(Refused {
            at: SystemTime::now(),
            status: status.as_ref().map(Status::code),
            error: status.as_ref().and_then(Status::error),
        });
        status.map_or_else(Outcome::default, |status| self.refuse(link, &status.echo(self.echoed(message))))
    }

    fn notify(&mut self, link: u64, number: u64, message: &Inbound<'_>, now: Instant) -> Outcome {
        let source = named_source(message).unwrap_or_default();
        let any_source = self.settings.any_source;
        let is_open =
            |seat: &Seat| seat.is_held_by(link) && seat.profile.is_active && seat.exists(any_source);
        let held = self.seats.get_key_value(source).filter(|(_, seat)| is_open(seat));
        let Some(name) = held.map(|(name, _)| Arc::clone(name)) else {
            return reply(&not_open(source).echo(self.echoed(message)));
        };
        if self.settings.only_objects && !message.object.is_some_and(|event| event.get().starts_with('{')) {
            let refused = Status::failure(400, "io.vantiq.server.error", "An event must be an object.");
            return reply(&refused.echo(self.echoed(message)));
        }
        let settings = Arc::clone(&self.settings);
        let candidate = Candidate { link, number, event: message.object };
        let judgement = self.seat(source).judge(&settings.acknowledge, candidate);
        let accepted = judgement.accepted;
        if self.chatter.may_speak(now) {
            info!(link, %source, accepted, event = excerpt(message.object), "notification");
        }
        let echoed = self.echoed(message);
        let acknowledgement = judgement.answer.map(|(status, delay)| {
            let text = status.echo(echoed).to_text();
            let mut notifications = judgement.acknowledged;
            // A status that names one notification says nothing of others.
            notifications.retain(|of| echoed.is_none() || *of == number);
            Effect::Acknowledge(Acknowledgement { text, delay, notifications })
        });
        // First, for the link may be lost with the acknowledgement.
        let events = if accepted { self.subscriptions.of_source(source, message.object) } else { Vec::new() };
        let effects = events.into_iter().map(Effect::Tell).chain(acknowledgement).collect();
        Outcome { effects, source: Some(name), is_notification: accepted }
    }

    /// Somebody else than a connector: an application that wants to hear of events.
    fn subscribe(&mut self, link: u64, op: &str, message: &Inbound<'_>) -> Outcome {
        let Some(path) = message.resource_id.as_deref().filter(|path| path.starts_with('/')) else {
            return self.violate(link, "named no path of events, such as `/sources/mySource`");
        };
        let request_id = message.request_id().unwrap_or(path);
        let body = match op {
            "subscribe" => {
                if let Err(TooMany) = self.subscriptions.add(link, path, request_id) {
                    let what = "There are too many subscriptions, or its names are too long.";
                    return reply(
                        &Status::failure(429, "io.vantiq.server.error", what).echo(Some(request_id)),
                    );
                }
                None
            }
            "unsubscribe" => {
                self.subscriptions.remove(link, path);
                Some(json!({ "op": "unsubscribe" }))
            }
            // Of a reliable subscription; here each is as reliable as its link.
            "acknowledge" => return Outcome::default(),
            _ => return self.violate(link, &format!("sent the unknown op `{op}` for events")),
        };
        info!(link, path, op, "events");
        reply(&Status::with_body(200, body).echo(Some(request_id)))
    }

    fn publish(&self, link: u64, message: &Inbound<'_>) -> Outcome {
        let topic = message.resource_id.as_deref().unwrap_or_default();
        info!(link, topic, event = excerpt(message.object), "publish");
        let answer = Effect::Reply(Status::bare(200).echo(message.request_id()).to_text());
        let told = self.topic_events(topic, message.object).into_iter().map(Effect::Tell);
        Outcome { effects: std::iter::once(answer).chain(told).collect(), ..Outcome::default() }
    }

    /// What a message published to a topic leads to.
    pub(crate) fn topic_events(&self, topic: &str, value: Option<&RawValue>) -> Vec<Event> {
        self.subscriptions.of_topic(topic, value)
    }

    fn answer(&mut self, link: u64, message: &Inbound<'_>, now: Instant) -> Outcome {
        let (Some(status), Some(address)) = (message.status, message.reply_address()) else {
            return self.violate(link, "sent an answer without status or X-Reply-Address");
        };
        let body = message.body.unwrap_or(RawValue::NULL);
        if status == 100 {
            debug!(link, address, "partial answer");
        } else if self.chatter.may_speak(now) {
            info!(link, address, status, "answer");
        }
        let configuration_error = configuration_error(status, body);
        match self.queries.answer(Answered { address, link, status, body: body.to_owned(), at: now }) {
            Ok((_, Timing::Late)) if self.settings.refuse_late_answers => {
                let what = format!("The query with the reply address {address} is over.");
                reply(&Status::failure(400, "io.vantiq.sourcemgr.request.timeout", &what))
            }
            Ok((source, _)) => {
                let seat = self.seat(&source);
                // An answer from before says nothing of the present configuration, nor of a source created anew.
                if status != 100 && seat.session() == Some(link) {
                    seat.story.configuration_error = configuration_error;
                }
                let is_acknowledged = *self.policy(&source) == Acknowledge::Everything;
                let acknowledgement = is_acknowledged.then(|| {
                    let text = self.acknowledgement(message).to_text();
                    let (delay, notifications) = (Duration::ZERO, Vec::new());
                    Effect::Acknowledge(Acknowledgement { text, delay, notifications })
                });
                let effects = acknowledgement.into_iter().collect();
                Outcome { effects, source: Some(source), is_notification: false }
            }
            Err(violation) => {
                self.note(link, &shortened(violation));
                Outcome::default()
            }
        }
    }

    fn policy(&self, source: &str) -> &Acknowledge {
        let own = self.find(source).and_then(Seat::acknowledge);
        own.unwrap_or(&self.settings.acknowledge)
    }

    fn acknowledgement(&self, message: &Inbound<'_>) -> Status {
        Status::bare(200).echo(self.echoed(message))
    }

    /// The request id to send back, where the server does that.
    fn echoed<'m>(&self, message: &'m Inbound<'_>) -> Option<&'m str> {
        message.request_id().filter(|_| self.settings.request_id_headers)
    }

    /// Turns a request down, and the link away where the server does that.
    fn refuse(&self, link: u64, status: &Status) -> Outcome {
        let mut outcome = reply(status);
        if self.settings.close_after_refusal {
            outcome.effects.push(Effect::Close(link));
        }
        outcome
    }

    /// Notes a violation and answers with an error, as a server would.
    fn violate(&mut self, link: u64, what: &str) -> Outcome {
        // As long as the connector likes: it may quote what was sent.
        let what = shortened(what.to_owned());
        self.note(link, &what);
        reply(&Status::failure(400, "io.vantiq.server.error", &format!("The connector {what}.")))
    }

    fn note(&mut self, link: u64, what: &str) {
        if self.chatter.may_speak(Instant::now()) {
            warn!(link, violation = what, "protocol violation");
        }
        self.violation_count += 1;
        self.violations.push_back(format!("link {link}: {what}"));
        if self.violations.len() > VIOLATIONS_KEPT {
            self.violations.pop_front();
        }
    }
}

fn reply(status: &Status) -> Outcome {
    Outcome { effects: vec![Effect::Reply(status.to_text())], ..Outcome::default() }
}

/// What a connector on `vantiq-connector` says to each query while it cannot use its configuration.
fn configuration_error(status: u16, body: &RawValue) -> Option<String> {
    let body = (status >= 300).then(|| serde_json::from_str(body.get()).ok()).flatten()?;
    let error = ErrorBody::read(&body)?;
    (error.message_code == "vantiq.connector.configuration").then(|| error.message())
}

/// Wording of newer servers for a source without a session (PROTOCOL section 11).
fn not_open(source: &str) -> Status {
    let message = format!("The source {NAMESPACE}:{source} is not recognized as an open EXTENSION session.");
    Status::failure(400, "com.accessg2.ag2rs.streams.source.not_found", &message)
}

/// The source that a request is about; requests about anything else than sources name none.
fn named_source<'m>(message: &'m Inbound<'_>) -> Option<&'m str> {
    let is_source = message.resource_name.as_deref() == Some("sources");
    message.resource_id.as_deref().filter(|name| is_source && !name.is_empty())
}

/// The beginning of an event, for the log.
fn excerpt(event: Option<&RawValue>) -> &str {
    let text = event.map_or("null", RawValue::get);
    &text[..text.floor_char_boundary(EXCERPT)]
}
