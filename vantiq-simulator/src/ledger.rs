//! [`Ledger`]: the open queries, and whether an answer to one of them is in order (PROTOCOL section 8).
//!
//! No I/O and no clock: the caller says what time it is. Progress is handed to the
//! [`PendingQuery`](crate::PendingQuery) through a channel whose length is bounded by what the connector
//! sends within the query timeout.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::value::RawValue;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Duration, Instant};

/// Queries that have ended are remembered up to this number, to tell a late answer from a wrong one.
const REMEMBERED: usize = 10_000;

/// What happens to one query.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A status 100. The body is read by who takes it: as a text it is much smaller.
    Partial { body: Box<RawValue>, at: Instant },
    /// The last answer.
    Terminal { status: u16, body: Box<RawValue>, at: Instant },
    /// The link of the query has ended.
    LinkLost,
    /// The parts that nobody has taken are too large together.
    TooLarge,
}

/// What comes of a query, for who asked.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) progress_rx: UnboundedReceiver<Progress>,
    /// Bytes of parts that have come and were not taken yet.
    pub(crate) held: Arc<AtomicUsize>,
}

/// A query as it is put in.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) address: String,
    pub(crate) source: Arc<str>,
    pub(crate) link: u64,
    pub(crate) at: Instant,
}

/// An answer as it comes in.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) address: &'a str,
    pub(crate) link: u64,
    pub(crate) status: u16,
    pub(crate) body: Box<RawValue>,
    pub(crate) at: Instant,
}

/// Whether an answer came while the query was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    InTime,
    Late,
}

/// Which partial answers restart the timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TimerRestart {
    /// Those with data, as documented.
    #[default]
    WithData,
    /// All of them (PROTOCOL section 16, item 5).
    Always,
}

impl TimerRestart {
    /// Whether a partial answer with this body gives the query more time.
    pub(crate) fn applies(self, body: &RawValue) -> bool {
        let has_data = |text: &str| match text.strip_prefix('[') {
            Some(rest) => !rest.trim_start().starts_with(']'),
            None => text != "null",
        };
        self == Self::Always || has_data(body.get())
    }
}

#[derive(Debug)]
struct Open {
    source: Arc<str>,
    link: u64,
    expires: Instant,
    progress_tx: UnboundedSender<Progress>,
    held: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    TimedOut,
    LinkLost,
    TooLarge,
}

/// All queries that were asked and not yet forgotten.
#[derive(Debug)]
pub(crate) struct Ledger {
    timeout: Duration,
    restart: TimerRestart,
    /// Bytes of parts that may wait for who asked.
    limit: usize,
    open: HashMap<String, Open>,
    ended: HashMap<String, (End, Arc<str>)>,
    ended_order: VecDeque<String>,
}

impl Ledger {
    pub(crate) fn new(timeout: Duration, restart: TimerRestart, limit: usize) -> Self {
        let (open, ended, ended_order) = (HashMap::new(), HashMap::new(), VecDeque::new());
        Self { timeout, restart, limit, open, ended, ended_order }
    }

    /// Enters a query; its progress comes out of the returned end.
    pub(crate) fn ask(&mut self, asked: Asked) -> Asking {
        self.expire(asked.at);
        let (progress_tx, progress_rx) = unbounded_channel();
        let Asked { address, source, link, at } = asked;
        let (expires, held) = (at + self.timeout, Arc::<AtomicUsize>::default());
        self.open.insert(address, Open { source, link, expires, progress_tx, held: Arc::clone(&held) });
        Asking { progress_rx, held }
    }

    /// Takes an answer and says which source it is for, and whether it came in time.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for the list of violations. A late answer is not wrong.
    pub(crate) fn answer(&mut self, answered: Answered<'_>) -> Result<(Arc<str>, Timing), String> {
        let address = answered.address;
        let Some(open) = self.open.get_mut(address) else {
            return self.answer_after_the_end(address);
        };
        if open.link != answered.link {
            return Err(format!("link {} answered query {address} of link {}", answered.link, open.link));
        }
        if !(answered.status == 100 || answered.status >= 200) {
            return Err(format!("status {} is not an answer to query {address}", answered.status));
        }
        let source = Arc::clone(&open.source);
        if answered.at > open.expires {
            self.end(address, End::TimedOut);
            return Ok((source, Timing::Late));
        }
        if answered.status == 100 {
            if self.restart.applies(&answered.body) {
                open.expires = answered.at + self.timeout;
            }
            let Answered { body, at, .. } = answered;
            let bytes = body.get().len();
            if open.held.fetch_add(bytes, Relaxed) + bytes > self.limit {
                let _ = open.progress_tx.send(Progress::TooLarge);
                self.end(address, End::TooLarge);
            } else {
                // A query that nobody waits for any more is still checked.
                let _ = open.progress_tx.send(Progress::Partial { body, at });
            }
        } else {
            let Answered { status, body, at, .. } = answered;
            let _ = open.progress_tx.send(Progress::Terminal { status, body, at });
            self.end(address, End::Answered);
        }
        Ok((source, Timing::InTime))
    }

    /// Ends the queries of a link that has ended.
    pub(crate) fn link_lost(&mut self, link: u64) {
        for address in self.addresses(|open| open.link == link) {
            if let Some(open) = self.open.get(&address) {
                let _ = open.progress_tx.send(Progress::LinkLost);
            }
            self.end(&address, End::LinkLost);
        }
    }

    fn answer_after_the_end(&self, address: &str) -> Result<(Arc<str>, Timing), String> {
        match self.ended.get(address) {
            None => Err(format!("answer to the unknown address {address}")),
            Some((End::Answered, _)) => {
                Err(format!("second terminal answer to query {address}, or a late part"))
            }
            Some((End::LinkLost, _)) => Err(format!("answer to query {address} of a link that has ended")),
            Some((End::TimedOut | End::TooLarge, source)) => Ok((Arc::clone(source), Timing::Late)),
        }
    }

    fn expire(&mut self, now: Instant) {
        for address in self.addresses(|open| open.expires < now) {
            self.end(&address, End::TimedOut);
        }
    }

    fn addresses(&self, which: impl Fn(&Open) -> bool) -> Vec<String> {
        self.open.iter().filter(|(_, open)| which(open)).map(|(address, _)| address.clone()).collect()
    }

    fn end(&mut self, address: &str, end: End) {
        let Some(open) = self.open.remove(address) else { return };
        self.ended.insert(address.to_owned(), (end, open.source));
        self.ended_order.push_back(address.to_owned());
        if self.ended_order.len() > REMEMBERED
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;
    use serde_json::{Value, json};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);
    /// Three parts.
    const LIMIT: usize = 9;

    struct Desk {
        ledger: Ledger,
        start: Instant,
        progress_rx: UnboundedReceiver<Progress>,
        held: Arc<AtomicUsize>,
    }

    fn asked(restart: TimerRestart) -> Desk {
        let mut ledger = Ledger::new(TIMEOUT, restart, LIMIT);
        let start = Instant::now();
        let asking =
            ledger.ask(Asked { address: "a".into(), source: "thermostat".into(), link: 1, at: start });
        Desk { ledger, start, progress_rx: asking.progress_rx, held: asking.held }
    }

    impl Desk {
        fn answer(
            &mut self,
            link: u64,
            status: u16,
            body: impl Into<Value>,
            after: u64,
        ) -> Result<Timing, String> {
            let at = self.start + Duration::from_secs(after);
            let body = to_raw_value(&body.into()).expect("it is JSON");
            self.ledger.answer(Answered { address: "a", link, status, body, at }).map(|(_, timing)| timing)
        }
    }

    #[test]
    fn partials_and_the_terminal_arrive_in_order() {
        let mut desk = asked(TimerRestart::WithData);
        desk.answer(1, 100, json!([1]), 1).expect("a partial is in order");
        desk.answer(1, 200, json!([2]), 2).expect("a terminal is in order");
        assert!(
            matches!(desk.progress_rx.try_recv(), Ok(Progress::Partial { body, .. }) if body.get() == "[1]")
        );
        assert!(matches!(desk.progress_rx.try_recv(), Ok(Progress::Terminal { status: 200, .. })));
    }

    #[test]
    fn a_second_terminal_is_a_violation() {
        let mut desk = asked(TimerRestart::WithData);
        desk.answer(1, 204, Value::Null, 1).expect("the first is in order");
        assert!(desk.answer(1, 204, Value::Null, 1).is_err());
        assert!(desk.answer(1, 100, json!([1]), 1).is_err());
    }

    #[test]
    fn an_answer_from_another_link_is_a_violation() {
        let mut desk = asked(TimerRestart::WithData);
        assert!(desk.answer(2, 200, Value::Null, 1).is_err());
    }

    #[test]
    fn an_answer_replayed_after_the_link_was_lost_is_a_violation() {
        let mut desk = asked(TimerRestart::WithData);
        desk.ledger.link_lost(1);
        assert!(matches!(desk.progress_rx.try_recv(), Ok(Progress::LinkLost)));
        assert!(desk.answer(2, 200, Value::Null, 1).is_err());
    }

    #[test]
    fn data_restarts_the_timer_and_an_empty_partial_does_not() {
        let mut desk = asked(TimerRestart::WithData);
        desk.answer(1, 100, json!([1]), 20).expect("in time");
        desk.answer(1, 100, json!([]), 45).expect("in time, but no data");
        assert_eq!(desk.answer(1, 200, Value::Null, 51), Ok(Timing::Late), "late is not wrong");
        let mut seen = Vec::new();
        while let Ok(progress) = desk.progress_rx.try_recv() {
            seen.push(progress);
        }
        assert_eq!(seen.len(), 2, "the late terminal is not delivered: {seen:?}");
    }

    #[test]
    fn every_partial_restarts_the_timer_when_asked_to() {
        let mut desk = asked(TimerRestart::Always);
        desk.answer(1, 100, json!([]), 20).expect("in time");
        desk.answer(1, 200, Value::Null, 45).expect("in time");
        desk.progress_rx.try_recv().expect("the partial");
        assert!(matches!(desk.progress_rx.try_recv(), Ok(Progress::Terminal { .. })));
    }

    #[test]
    fn what_nobody_takes_has_a_limit() {
        let mut desk = asked(TimerRestart::WithData);
        for _ in 0..LIMIT / 3 {
            desk.answer(1, 100, json!([1]), 1).expect("it is in order");
        }
        desk.held.fetch_sub(3, Relaxed);
        desk.answer(1, 100, json!([1]), 1).expect("one was taken");
        desk.answer(1, 100, json!([1]), 1).expect("too large is not wrong");
        assert_eq!(desk.answer(1, 200, Value::Null, 1), Ok(Timing::Late), "nor what comes behind");
        let mut parts = 0;
        while let Ok(Progress::Partial { .. }) = desk.progress_rx.try_recv() {
            parts += 1;
        }
        assert_eq!(parts, LIMIT / 3 + 1);
    }

    #[test]
    fn an_answer_to_nobody_is_a_violation() {
        let mut ledger = Ledger::new(TIMEOUT, TimerRestart::WithData, LIMIT);
        let at = Instant::now();
        let answer = Answered { address: "?", link: 1, status: 200, body: RawValue::NULL.to_owned(), at };
        assert!(ledger.answer(answer).is_err());
    }
}
