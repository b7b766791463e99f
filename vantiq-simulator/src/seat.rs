//! [`Seat`]: what the server knows of one source, and who may hold it (PROTOCOL section 5).
//!
//! At most one link holds a source. No I/O here, but the time of day is noted of what a person is shown; see
//! [`Registry`](crate::registry::Registry).

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};

use crate::acknowledge::{Acknowledge, Candidate, Judgement, Tally};
use crate::envelope;
use crate::refusal::Refusal;
use crate::script::Script;

/// One source.
#[derive(Debug)]
pub(crate) struct Seat {
    existence: Existence,
    /// Shared with whoever shows it.
    configuration: Arc<Value>,
    pub(crate) profile: Profile,
    pub(crate) story: Story,
    holder: Option<Holder>,
    /// The links that lost it to another one and have not ended yet.
    evicted: Vec<u64>,
    /// Who asked last, whatever came of it: the one to talk to while nobody holds the source.
    applicant: Option<Applicant>,
    /// `connectExtension`s accepted so far.
    pub(crate) sessions: u64,
    /// Notifications accepted so far, also those that are no longer recorded.
    pub(crate) notifications: u64,
    /// Number of the last notification that was handed out.
    pub(crate) read_up_to: u64,
    pub(crate) refusals: Script<Option<Refusal>>,
    /// Overrides the server's policy.
    acknowledge: Option<Acknowledge>,
    tally: Tally,
}

/// What else is said of a source, which no connector is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// `_id`
    pub(crate) id: String,
    /// `type`, the name of its implementation.
    pub(crate) implementation: String,
    /// Whether connectors may attach.
    pub(crate) is_active: bool,
    /// How often it was changed.
    pub(crate) version: u64,
}

/// How a source is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Standing {
    /// Nobody holds it.
    Waiting,
    Connected,
    /// Its holder was told to attach again, and has not yet.
    Reconnecting,
    /// It is switched off.
    Inactive,
}

/// What has happened to a source, for people to see.
#[derive(Debug, Default)]
pub(crate) struct Story {
    /// When it came to be doing as it does.
    pub(crate) since: Option<SystemTime>,
    pub(crate) last_refusal: Option<Refused>,
    /// Why the connector cannot use the configuration, by its answer to a query.
    pub(crate) configuration_error: Option<String>,
    /// Number of the last notification that was accepted.
    pub(crate) last_notification: Option<u64>,
}

/// A `connectExtension` that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) at: SystemTime,
    /// What was answered, if anything was.
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<(String, String)>,
}

/// What is to be changed of a source; what is absent stays.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub(crate) implementation: Option<String>,
    pub(crate) configuration: Option<Value>,
    pub(crate) is_active: Option<bool>,
}

/// Whether there is such a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existence {
    /// Nobody said: exists if the server accepts any name.
    Unmentioned,
    Exists,
    Removed,
}

/// Who asks for a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applicant {
    pub(crate) link: u64,
    pub(crate) secret: Option<String>,
}

#[derive(Debug)]
struct Holder {
    who: Applicant,
    session: Session,
}

/// Whether the holder may be sent requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    /// From `configureExtension` on.
    Open,
    /// After `reconnectRequired`, until the next `connectExtension`.
    Suspended,
}

/// What becomes of a `connectExtension`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Accepted; the link in `evicted` must be closed.
    Admitted {
        evicted: Option<u64>,
    },
    Refused(Refusal),
}

impl Default for Profile {
    fn default() -> Self {
        Self { id: envelope::uuid(), implementation: "EXTENSION".to_owned(), is_active: true, version: 1 }
    }
}

impl Default for Seat {
    fn default() -> Self {
        Self {
            existence: Existence::Unmentioned,
            configuration: Arc::new(json!({})),
            profile: Profile::default(),
            story: Story::default(),
            holder: None,
            evicted: Vec::new(),
            applicant: None,
            sessions: 0,
            notifications: 0,
            read_up_to: 0,
            refusals: Script::new(None),
            acknowledge: None,
            tally: Tally::default(),
        }
    }
}

impl Seat {
    pub(crate) fn existing(configuration: Value) -> Self {
        Self { existence: Existence::Exists, configuration: configuration.into(), ..Self::default() }
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.existence == Existence::Exists
    }

    /// Whether there is such a source; `any_source` says what becomes of unmentioned names.
    pub(crate) fn exists(&self, any_source: bool) -> bool {
        self.is_listed() || any_source && self.existence == Existence::Unmentioned
    }

    pub(crate) fn configuration(&self) -> &Value {
        &self.configuration
    }

    /// How it is doing.
    pub(crate) fn standing(&self) -> Standing {
        match &self.holder {
            _ if !self.profile.is_active => Standing::Inactive,
            None => Standing::Waiting,
            Some(Holder { session: Session::Open, .. }) => Standing::Connected,
            Some(Holder { session: Session::Suspended, .. }) => Standing::Reconnecting,
        }
    }

    pub(crate) fn shared_configuration(&self) -> Arc<Value> {
        Arc::clone(&self.configuration)
    }

    /// The policy of this source, if it has one of its own.
    pub(crate) fn acknowledge(&self) -> Option<&Acknowledge> {
        self.acknowledge.as_ref()
    }

    /// Gives the source a policy of its own, which begins to count now.
    pub(crate) fn set_acknowledge(&mut self, policy: Acknowledge) {
        self.acknowledge = Some(policy);
        self.tally = Tally::default();
    }

    /// Takes that policy away.
    pub(crate) fn acknowledge_as_server(&mut self) {
        self.acknowledge = None;
        self.tally = Tally::default();
    }

    /// Decides about a notification of the holder, by the server's policy if there is no other.
    pub(crate) fn judge(&mut self, servers: &Acknowledge, candidate: Candidate<'_>) -> Judgement {
        let judgement = self.acknowledge.as_ref().unwrap_or(servers).judge(&mut self.tally, candidate);
        if judgement.accepted {
            self.notifications += 1;
            self.story.last_notification = Some(candidate.number);
        }
        judgement
    }

    /// Decides about a `connectExtension`; `any_source` says what becomes of unmentioned names.
    pub(crate) fn admit(&mut self, who: Applicant, any_source: bool) -> Admission {
        self.applicant = Some(who.clone());
        if let Some(refusal) = self.refusals.take() {
            return Admission::Refused(refusal);
        }
        let refusal = match (self.exists(any_source), self.profile.is_active) {
            (false, _) => Some(Refusal::UnknownSource),
            (true, false) => Some(Refusal::NotActive),
            (true, true) => None,
        };
        if let Some(refusal) = refusal {
            self.stamped(|seat| seat.holder.take_if(|holder| holder.who.link == who.link));
            return Admission::Refused(refusal);
        }
        if self.is_taken_from(&who) {
            return Admission::Refused(Refusal::AlreadyConnected);
        }
        Admission::Admitted { evicted: self.seat(who) }
    }

    /// The link that has an open session.
    pub(crate) fn session(&self) -> Option<u64> {
        self.holder.as_ref().filter(|holder| holder.session == Session::Open).map(|holder| holder.who.link)
    }

    /// The link to talk to: the holder's or, failing that, the last applicant's.
    pub(crate) fn link(&self) -> Option<u64> {
        let holder = self.holder.as_ref().map(|holder| holder.who.link);
        holder.or_else(|| self.applicant.as_ref().map(|who| who.link))
    }

    /// Whether the source is the link's business: it holds it, held it until it was evicted, or asked for it last.
    pub(crate) fn knows(&self, link: u64) -> bool {
        let asked_last = self.applicant.as_ref().is_some_and(|who| who.link == link);
        self.is_held_by(link) || asked_last || self.evicted.contains(&link)
    }

    /// Whether the link holds the source, in session or not.
    pub(crate) fn is_held_by(&self, link: u64) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.who.link == link)
    }

    /// The source exists from now on, with this document; gives the holder to send back to
    /// `connectExtension`.
    pub(crate) fn configure(&mut self, configuration: Value) -> Option<u64> {
        self.existence = Existence::Exists;
        self.configuration = configuration.into();
        self.profile.version += 1;
        self.suspend()
    }

    /// Lets connectors attach, or no more; gives the holder to send back to `connectExtension`.
    pub(crate) fn set_active(&mut self, is_active: bool) -> Option<u64> {
        self.stamped(|seat| seat.profile.is_active = is_active);
        self.profile.version += 1;
        if is_active { None } else { self.suspend() }
    }

    /// Changes all that at once; gives the holder to send back to `connectExtension`, if it has to go there.
    pub(crate) fn apply(&mut self, change: Change) -> Option<u64> {
        let Change { implementation, configuration, is_active } = change;
        if let Some(implementation) = implementation {
            self.profile.implementation = implementation;
        }
        let configured = configuration.and_then(|configuration| self.configure(configuration));
        let deactivated = is_active.and_then(|is_active| self.set_active(is_active));
        // Whoever was suspended by the first is not found by the second.
        configured.or(deactivated)
    }

    /// Changes the document and gives the link to send it to without being asked. An applicant who
    /// was left without an answer becomes the holder.
    pub(crate) fn configure_now(&mut self, configuration: Value) -> Option<u64> {
        self.existence = Existence::Exists;
        self.configuration = configuration.into();
        self.story.configuration_error = None;
        if self.holder.is_some() {
            self.stamped(|seat| seat.set_session(Session::Open));
        } else {
            let who = self.applicant.clone()?;
            self.seat(who);
        }
        self.session()
    }

    /// The source no longer exists; gives the holder to send back to `connectExtension`. Of what it was there remain
    /// who held or wanted it, for their links go on, and its faults, which [`Source`](crate::Source) ends with it.
    pub(crate) fn remove(&mut self) -> Option<u64> {
        let link = self.suspend();
        self.existence = Existence::Removed;
        self.configuration = Arc::new(json!({}));
        self.profile = Profile::default();
        let since = self.holder.as_ref().map(|_| SystemTime::now());
        self.story = Story { since, ..Story::default() };
        (self.sessions, self.notifications) = (0, 0);
        self.tally = Tally::default();
        link
    }

    /// Ends an open session, but not the hold on the source.
    pub(crate) fn suspend(&mut self) -> Option<u64> {
        let link = self.session();
        self.stamped(|seat| seat.set_session(Session::Suspended));
        link
    }

    /// The link has ended; says whether that ended a session.
    pub(crate) fn link_lost(&mut self, link: u64) -> bool {
        let ended = self.session() == Some(link);
        self.stamped(|seat| seat.holder.take_if(|holder| holder.who.link == link));
        self.applicant.take_if(|who| who.link == link);
        self.evicted.retain(|evicted| *evicted != link);
        ended
    }

    fn set_session(&mut self, session: Session) {
        if let Some(holder) = &mut self.holder {
            holder.session = session;
        }
    }

    /// Notes the time, if the change is one of how it is doing.
    fn stamped<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.standing();
        let result = change(self);
        if self.standing() != before {
            self.story.since = Some(SystemTime::now());
        }
        result
    }

    /// Whether somebody else holds the source and does not share this one's secret.
    fn is_taken_from(&self, who: &Applicant) -> bool {
        self.holder.as_ref().is_some_and(|holder| {
            holder.who.link != who.link && (who.secret.is_none() || holder.who.secret != who.secret)
        })
    }

    /// Gives the source to `who`, and the other link that loses it.
    fn seat(&mut self, who: Applicant) -> Option<u64> {
        self.sessions += 1;
        // Each session has a time and a configuration of its own, also where it takes over.
        self.story.since = Some(SystemTime::now());
        self.story.configuration_error = None;
        let link = who.link;
        let before = self.holder.replace(Holder { who, session: Session::Open });
        let evicted = before.map(|holder| holder.who.link).filter(|before| *before != link);
        self.evicted.extend(evicted);
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(link: u64, secret: Option<&str>) -> Applicant {
        Applicant { link, secret: secret.map(str::to_owned) }
    }

    #[test]
    fn the_same_secret_takes_the_source_over() {
        let mut seat = Seat::existing(json!({}));
        seat.admit(who(1, Some("s")), false);
        assert_eq!(seat.admit(who(2, Some("s")), false), Admission::Admitted { evicted: Some(1) });
        assert!(seat.knows(1), "it has not ended yet");
        assert!(!seat.link_lost(1), "the old link has nothing to lose any more");
        assert_eq!((seat.session(), seat.knows(1), seat.knows(2)), (Some(2), false, true));
    }

    #[test]
    fn another_secret_or_none_is_refused_and_the_incumbent_stays() {
        let mut seat = Seat::existing(json!({}));
        seat.admit(who(1, Some("s")), false);
        for secret in [Some("t"), None] {
            let refused = Admission::Refused(Refusal::AlreadyConnected);
            assert_eq!(seat.admit(who(2, secret), false), refused);
        }
        assert_eq!(seat.session(), Some(1));
    }

    #[test]
    fn two_connectors_without_a_secret_do_not_share_one() {
        let mut seat = Seat::existing(json!({}));
        seat.admit(who(1, None), false);
        assert_eq!(seat.admit(who(2, None), false), Admission::Refused(Refusal::AlreadyConnected));
    }

    #[test]
    fn the_holder_may_ask_again_on_the_same_link() {
        let mut seat = Seat::existing(json!({}));
        seat.admit(who(1, None), false);
        assert_eq!(seat.suspend(), Some(1));
        assert_eq!(seat.session(), None);
        assert_eq!(seat.admit(who(1, None), false), Admission::Admitted { evicted: None });
        assert_eq!(seat.sessions, 2);
    }

    #[test]
    fn how_it_is_doing_has_a_beginning() {
        let mut seat = Seat::existing(json!({}));
        assert_eq!((seat.standing(), seat.story.since), (Standing::Waiting, None));
        seat.admit(who(1, None), false);
        let connected = seat.story.since;
        assert_eq!((seat.standing(), connected.is_some()), (Standing::Connected, true));
        seat.set_active(true);
        assert_eq!(seat.story.since, connected, "nothing has changed");
        seat.suspend();
        assert_eq!(seat.standing(), Standing::Reconnecting);
        seat.set_active(false);
        assert_eq!(seat.standing(), Standing::Inactive);
        seat.set_active(true);
        seat.link_lost(1);
        assert_eq!(seat.standing(), Standing::Waiting);
        assert!(seat.story.since >= connected);
    }

    #[test]
    fn an_unmentioned_source_exists_where_any_does_until_it_is_removed() {
        let mut seat = Seat::default();
        assert_eq!(seat.admit(who(1, None), false), Admission::Refused(Refusal::UnknownSource));
        assert_eq!(seat.admit(who(1, None), true), Admission::Admitted { evicted: None });
        seat.remove();
        assert_eq!(seat.admit(who(1, None), true), Admission::Refused(Refusal::UnknownSource));
        seat.configure(json!({}));
        assert_eq!(seat.admit(who(1, None), false), Admission::Admitted { evicted: None });
    }

    #[test]
    fn what_is_created_again_has_no_past() {
        let mut seat = Seat::existing(json!({"unit": "celsius"}));
        seat.admit(who(1, None), false);
        seat.judge(&Acknowledge::default(), Candidate { link: 1, number: 5, event: None });
        seat.remove();
        assert_eq!(seat.admit(who(1, None), false), Admission::Refused(Refusal::UnknownSource));
        seat.configure(json!({}));
        assert_eq!((seat.sessions, seat.notifications, seat.story.last_notification), (0, 0, None));
        seat.admit(who(1, None), false);
        assert_eq!(seat.sessions, 1);
    }

    #[test]
    fn an_unasked_configuration_admits_an_applicant_who_got_no_answer() {
        let mut seat = Seat::existing(json!({}));
        seat.refusals.always(Some(Refusal::Silent));
        seat.admit(who(1, None), false);
        assert_eq!(seat.configure_now(json!({"late": true})), Some(1));
        assert_eq!(seat.sessions, 1);
    }
}
