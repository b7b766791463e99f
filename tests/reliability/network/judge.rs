//! [`judge`]: whether what happened in a scene keeps the promises. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    figures::Figures,
    history::{Event, Moment, Outcome},
    plan::Plan,
    scene::GRACE,
};

/// How long after the repair a notification of every source has come through.
const BACK: Duration = Duration::from_secs(35);
/// How long a stop may take beyond the grace: a quarter of it for `close`, and the deadlines of the link.
const STOP: Duration = Duration::from_secs(7);

/// Says what happened, where all promises are kept.
///
/// # Errors
/// The first that is not, with the time.
pub(super) fn judge(plan: &Plan, history: &[Moment]) -> Result<Figures, String> {
    let mut judge = Judge::new(plan);
    for (at, event) in history {
        judge.take(*at, *event).map_err(|what| format!("{at:?}: {event:?}: {what}"))?;
    }
    judge.end().map_err(|what| format!("at the end: {what}"))?;
    Ok(judge.figures)
}

/// What is known of one source so far.
#[derive(Debug, Clone, Default)]
struct SourceAccount {
    accepted: u64,
    told: BTreeMap<u64, Outcome>,
    received: BTreeSet<u64>,
    stored: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    last_link: u64,
    /// The last configuration that the server wrote.
    configured: u64,
    connected: u64,
    handled: u64,
}

/// What is known of one link.
#[derive(Debug, Default)]
struct LinkAccount {
    /// Receipts of its source that were resolved before it was attached.
    told_before: BTreeSet<u64>,
    last_received: Option<u64>,
    /// Whether nothing that was sent over it can have been lost.
    whole: bool,
}

struct Judge<'a> {
    plan: &'a Plan,
    sources: Vec<SourceAccount>,
    links: BTreeMap<u64, LinkAccount>,
    /// Queries, their links and whether they have a terminal answer.
    queries: BTreeMap<u64, (u64, bool)>,
    /// Publishes: their links, sources, and the configuration when they were sent.
    publishes: BTreeMap<u64, (u64, usize, u64)>,
    handled: BTreeSet<u64>,
    configs: BTreeMap<u64, usize>,
    repaired: Option<Duration>,
    recovered: Option<Duration>,
    settled: bool,
    stopping: Option<Duration>,
    stopped: Option<bool>,
    figures: Figures,
}

type Judgement = Result<(), String>;

/// Complains where something does not hold.
fn holds(holds: bool, what: &str) -> Judgement {
    if holds { Ok(()) } else { Err(what.into()) }
}

impl<'a> Judge<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            sources: vec![SourceAccount::default(); plan.sources],
            links: BTreeMap::new(),
            queries: BTreeMap::new(),
            publishes: BTreeMap::new(),
            handled: BTreeSet::new(),
            configs: BTreeMap::new(),
            repaired: None,
            recovered: None,
            settled: false,
            stopping: None,
            stopped: None,
            figures: Figures::default(),
        }
    }

    fn take(&mut self, at: Duration, event: Event) -> Judgement {
        match event {
            Event::Attached { link, source } => self.attached(link, source),
            Event::Configured { source, config, .. } => {
                self.sources[source].configured = config;
                self.configs.insert(config, source);
            }
            Event::Published { link, source, number } => {
                self.publishes.insert(number, (link, source, self.sources[source].configured));
            }
            Event::Asked { link, query, .. } => {
                self.queries.insert(query, (link, false));
            }
            Event::Received { link, source, number } => return self.received(link, source, number),
            Event::Stored { source, number } => {
                self.sources[source].stored.insert(number);
            }
            Event::Refused { source, number } => {
                self.sources[source].refused.insert(number);
            }
            Event::Answered { link, query, terminal } => return self.answered(link, query, terminal),
            Event::Connected { source, config } => return self.connected(source, config),
            Event::Handled { source, config, number } => return self.handled(source, config, number),
            Event::Accepted { source, number } => {
                self.figures.notifications += 1;
                let accepted = &mut self.sources[source].accepted;
                holds(*accepted == number, "the scene skips a number")?;
                *accepted += 1;
            }
            Event::Told { source, number, outcome } => return self.told(source, number, outcome),
            Event::Repaired => self.repaired = Some(at),
            Event::Recovered => self.recovered = Some(at),
            Event::Settled => self.settled = true,
            Event::Stopping => self.stopping = Some(at),
            Event::Stopped { clean } => {
                self.stopped = Some(clean);
                let asked = self.stopping.ok_or("it ended by itself")?;
                return holds(at <= asked + GRACE.mul_f64(1.25) + STOP, "the stop took too long");
            }
        }
        Ok(())
    }

    fn attached(&mut self, link: u64, source: usize) {
        let account = &mut self.sources[source];
        account.last_link = link;
        self.links.entry(link).or_insert_with(|| LinkAccount {
            told_before: account.told.keys().copied().collect(),
            last_received: None,
            whole: self.repaired.is_some() || !self.plan.loses(),
        });
    }

    fn received(&mut self, link: u64, source: usize, number: u64) -> Judgement {
        let (account, link) = (&mut self.sources[source], self.links.entry(link).or_default());
        holds(!link.told_before.contains(&number), "sent again although its receipt was resolved")?;
        holds(link.last_received < Some(number), "not in order on its link")?;
        link.last_received = Some(number);
        // `notify` returns after the notification is on its way, or before.
        holds(number <= account.accepted, "never accepted")?;
        if account.received.contains(&number) {
            self.figures.duplicates += 1;
            return Ok(());
        }
        let last = account.received.last().copied();
        holds(last < Some(number), "first arrivals are not in order")?;
        // Without pings nobody can tell whether what was sent arrived.
        let expected = last.map_or(0, |last| last + 1);
        holds(!self.plan.pings || number == expected, "first arrivals leave one out")?;
        account.received.insert(number);
        Ok(())
    }

    fn told(&mut self, source: usize, number: u64, outcome: Outcome) -> Judgement {
        let account = &mut self.sources[source];
        holds(account.told.insert(number, outcome).is_none(), "told twice")?;
        let (count, true_) = match outcome {
            Outcome::Acknowledged => (&mut self.figures.acknowledged, account.stored.contains(&number)),
            Outcome::Arrived => (&mut self.figures.arrived, account.received.contains(&number)),
            Outcome::Sent => (&mut self.figures.sent, !self.plan.pings),
            Outcome::Rejected => (&mut self.figures.refused, account.refused.contains(&number)),
            Outcome::Unknown => (&mut self.figures.unknown, self.stopping.is_some()),
        };
        *count += 1;
        holds(true_, "told early, or wrongly")
    }

    fn answered(&mut self, link: u64, query: u64, terminal: bool) -> Judgement {
        let (asked_on, answered) = self.queries.get_mut(&query).ok_or("never asked")?;
        holds(*asked_on == link, "answered on another link")?;
        holds(!*answered, "answered again after the terminal answer")?;
        *answered = terminal;
        Ok(())
    }

    fn connected(&mut self, source: usize, config: u64) -> Judgement {
        holds(self.configs.get(&config) == Some(&source), "not the source's configuration")?;
        let account = &mut self.sources[source];
        holds(account.connected < config, "an older configuration than before")?;
        account.connected = config;
        Ok(())
    }

    fn handled(&mut self, source: usize, config: u64, number: u64) -> Judgement {
        let &(_, sent_to, sent_after) = self.publishes.get(&number).ok_or("never published")?;
        holds(sent_to == source, "published to another source")?;
        holds(sent_after <= config, "handled by a session of an older configuration")?;
        let account = &mut self.sources[source];
        holds(account.connected == config, "handled before `connect`, or after a newer one")?;
        holds(account.handled < number, "handled twice, or not in order")?;
        account.handled = number;
        self.handled.insert(number);
        Ok(())
    }

    fn end(&mut self) -> Judgement {
        let clean = self.stopped.ok_or("the connector did not stop")?;
        let (repaired, recovered) = (self.repaired.ok_or("never repaired")?, self.recovered);
        let back = recovered.is_some_and(|recovered| recovered <= repaired + BACK);
        holds(back, "not connected again after the repair")?;
        holds(self.settled || !self.plan.patient, "receipts are not resolved in time")?;
        holds(clean || !self.plan.patient, "something is left undone")?;
        for account in &self.sources {
            holds(account.told.len() as u64 == account.accepted, "a receipt was never resolved")?;
            for (number, outcome) in &account.told {
                let known = match outcome {
                    Outcome::Unknown | Outcome::Sent | Outcome::Arrived => true,
                    Outcome::Acknowledged | Outcome::Rejected => account.received.contains(number),
                };
                holds(known, "lost")?;
            }
        }
        self.on_last_links()
    }

    /// What is asked over a link that is ended in good order is done.
    fn on_last_links(&mut self) -> Judgement {
        let last = self.sources.iter().map(|account| account.last_link);
        let last: BTreeSet<_> = last.filter(|link| self.links[link].whole).collect();
        for (query, (link, answered)) in &self.queries {
            holds(*answered || !last.contains(link), &format!("query {query} has no answer"))?;
        }
        for (number, (link, ..)) in &self.publishes {
            let handled = self.handled.contains(number);
            holds(handled || !last.contains(link), &format!("publish {number} was not handled"))?;
        }
        self.figures.links = self.links.len() as u64;
        self.figures.queries = self.queries.len() as u64;
        self.figures.answered = self.queries.values().filter(|(_, answered)| *answered).count() as u64;
        self.figures.publishes = self.publishes.len() as u64;
        self.figures.handled = self.handled.len() as u64;
        Ok(())
    }
}
