//! A small independent model of a server and its link, against which the ledger is checked: it knows which
//! message each reply answers, which the ledger does not.
//!
//! One schedule is a random walk: messages are sent, read and processed by the server, replies come, links are
//! lost. After each step the model says what is wrong, if anything. Quiet moments are sound here: they come only
//! when all replies have come. Whether they are in practice is the business of `Quiet`.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    AckProfile,
    ledger::{Evidence, Known, Ledger, Other, Replied, Settled, Window},
};

/// Steps of one schedule.
const STEPS: usize = 60;

/// What went wrong in a schedule, and how to run it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The schedule's seed.
    pub seed: u64,
    /// What the ledger did wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

/// What happened in many schedules: a check that never sees an arrow of the ledger proves nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Notifications sent, again after a lost link included.
    pub sent: u64,
    /// Notifications released by a reply, at once or at a quiet moment.
    pub acknowledged: u64,
    /// Notifications that the server refused.
    pub rejected: u64,
    /// Notifications released by a pong, or at a quiet moment without any reply.
    pub arrived: u64,
    /// Notifications that went back to be sent again.
    pub put_back: u64,
    /// Quiet moments at which the ledger could not decide.
    pub undecided: u64,
}

/// Runs `schedules` schedules, with the seeds from `seed` on.
///
/// # Errors
/// The first [`Violation`].
pub fn check(seed: u64, schedules: u64) -> Result<Figures, Violation> {
    let mut figures = Figures::default();
    for seed in seed..seed.saturating_add(schedules) {
        Schedule::new(seed, &mut figures).run().map_err(|what| Violation { seed, what })?;
    }
    Ok(figures)
}

/// What the server really does.
#[derive(Debug, Clone, Copy)]
struct Truth {
    /// It acknowledges nothing at all.
    silent: bool,
    /// It acknowledges answers.
    answers: bool,
    /// Of how many handshakes out of four it acknowledges one, at random; none or all, where a profile says so.
    handshakes: u32,
    /// Its replies to notifications name them.
    named: bool,
    /// How many notifications out of a hundred it refuses.
    refuses: u32,
    /// How many handshakes out of four that are not the first of their link it refuses.
    refuses_handshakes: u32,
}

/// A message on its way to the server.
#[derive(Debug, Clone, Copy)]
enum Message {
    Notification(u64),
    Other(Other),
    Ping { last: u64 },
}

/// What comes back.
#[derive(Debug, Clone, Copy)]
enum Reply {
    Status { to: Option<u64>, error: Option<u64> },
    Configuration,
    Pong { last: u64 },
}

type Outcome = Option<u64>;

/// What the refusal of a handshake says.
const HANDSHAKE_REFUSED: u64 = u64::MAX;

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is so at a time")]
struct Schedule<'a> {
    random: SmallRng,
    truth: Truth,
    profile: AckProfile,
    known: Known,
    ledger: Ledger<u64, u64>,
    /// Sent and not yet read by the server.
    wire: VecDeque<Message>,
    /// Read and not yet processed.
    read: VecDeque<Message>,
    replies: VecDeque<Reply>,
    /// Notifications that wait to be sent, in order.
    outbox: VecDeque<u64>,
    next: u64,
    /// Sent on this link and not yet released, in order.
    open: Vec<u64>,
    /// The replies to notifications that were delivered on this link.
    delivered: BTreeMap<u64, Outcome>,
    /// The last notification that the server has read on this link.
    arrived: Option<u64>,
    /// Whether the first handshake of the link is over.
    began: bool,
    /// Whether the configuration came: before it nothing is notified.
    configured: bool,
    /// Whether a refusal came of which the ledger could not tell what it refused, and no quiet moment since.
    clouded: bool,
    /// A ping whose pong releases what a silent server has read.
    barrier: bool,
    figures: &'a mut Figures,
}

impl<'a> Schedule<'a> {
    fn new(seed: u64, figures: &'a mut Figures) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let silent = random.random_ratio(1, 6);
        let mut truth = Truth {
            silent,
            answers: !silent && random.random_bool(0.5),
            handshakes: if silent { 0 } else { random.random_range(0..=4) },
            named: !silent && random.random_ratio(1, 6),
            refuses: [0, 10, 50][random.random_range(0..3)],
            refuses_handshakes: random.random_range(0..4),
        };
        let profile = match random.random_range(0..8) {
            0 => {
                truth = Truth { silent: false, answers: false, handshakes: 0, ..truth };
                AckProfile::Notifications
            }
            1 => {
                truth = Truth { silent: false, answers: true, handshakes: 4, ..truth };
                AckProfile::All
            }
            2 => {
                truth = Truth { silent: true, answers: false, handshakes: 0, named: false, ..truth };
                AckProfile::None
            }
            _ => AckProfile::Auto,
        };
        let window = Window { messages: random.random_range(1..12), bytes: 1_000 };
        Self {
            random,
            truth,
            profile,
            known: Known::default(),
            ledger: Ledger::new(window, Known::default(), profile),
            wire: VecDeque::new(),
            read: VecDeque::new(),
            replies: VecDeque::new(),
            outbox: VecDeque::new(),
            next: 0,
            open: Vec::new(),
            delivered: BTreeMap::new(),
            arrived: None,
            began: false,
            configured: false,
            clouded: false,
            barrier: false,
            figures,
        }
    }

    fn run(mut self) -> Result<(), String> {
        self.begin_link()?;
        for _ in 0..STEPS {
            self.step()?;
        }
        self.finish()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.random_range(0..100) {
            0..25 => self.notify(),
            25..35 => self.send_other(Other::Answer),
            35..37 => self.attach_again(),
            37..58 => self.read(),
            58..78 => self.process(),
            78..95 => self.receive()?,
            95..98 => self.quiet_moment()?,
            98 => self.ping(),
            _ => self.lose_link()?,
        }
        if self.ledger.open() == self.open.len() {
            return Ok(());
        }
        Err(format!("{:?} are open, and the ledger counts {}", self.open, self.ledger.open()))
    }

    fn notify(&mut self) {
        self.next += 1;
        self.outbox.push_back(self.next);
        self.send();
    }

    fn send(&mut self) {
        while self.configured
            && self.ledger.has_room()
            && let Some(number) = self.outbox.pop_front()
        {
            self.ledger.sent(number, 10);
            self.figures.sent += 1;
            self.open.push(number);
            self.wire.push_back(Message::Notification(number));
        }
    }

    fn send_other(&mut self, kind: Other) {
        self.ledger.sent_other(kind);
        self.wire.push_back(Message::Other(kind));
    }

    /// Nothing is notified until the configuration comes.
    fn attach_again(&mut self) {
        if std::mem::take(&mut self.configured) {
            self.send_other(Other::Handshake);
        }
    }

    fn ping(&mut self) {
        if self.ledger.is_silent() && self.ledger.open() > 0 && !self.barrier {
            self.barrier = true;
            self.wire.push_back(Message::Ping { last: self.ledger.last() });
        }
    }

    /// The server reads a message. A pong does not wait for what was read before to be processed.
    fn read(&mut self) {
        match self.wire.pop_front() {
            Some(Message::Ping { last }) => self.replies.push_back(Reply::Pong { last }),
            Some(message) => {
                if let Message::Notification(number) = message {
                    self.arrived = Some(number);
                }
                self.read.push_back(message);
            }
            None => {}
        }
    }

    fn process(&mut self) {
        let Some(message) = self.read.pop_front() else { return };
        match message {
            Message::Other(Other::Handshake) if self.is_refused() => {
                self.replies.push_back(Reply::Status { to: None, error: Some(HANDSHAKE_REFUSED) });
            }
            Message::Other(Other::Handshake) => {
                let acknowledged = self.random.random_ratio(self.truth.handshakes, 4);
                self.acknowledge(usize::from(acknowledged));
                self.replies.push_back(Reply::Configuration);
            }
            _ if self.truth.silent => {}
            Message::Notification(number) => {
                let refused = self.random.random_ratio(self.truth.refuses, 100);
                self.replies.push_back(Reply::Status { to: Some(number), error: refused.then_some(number) });
            }
            Message::Other(Other::Answer) if self.truth.answers => self.acknowledge(1),
            Message::Other(_) | Message::Ping { .. } => {}
        }
    }

    fn is_refused(&mut self) -> bool {
        // The first one of a link is modelled by `begin_link`.
        self.began && self.random.random_ratio(self.truth.refuses_handshakes, 4)
    }

    fn acknowledge(&mut self, times: usize) {
        self.replies.extend((0..times).map(|_| Reply::Status { to: None, error: None }));
    }

    fn receive(&mut self) -> Result<(), String> {
        match self.replies.pop_front() {
            None => Ok(()),
            Some(Reply::Pong { last }) => {
                self.barrier = false;
                let arrived = self.ledger.arrived_through(last);
                self.arrived(&arrived)
            }
            Some(Reply::Configuration) => {
                self.configured = true;
                Ok(())
            }
            Some(Reply::Status { error: Some(error), .. }) if self.takes_for_refusal(error) => Ok(()),
            Some(Reply::Status { to, error }) => {
                if let Some(number) = to {
                    self.delivered.insert(number, error);
                }
                self.barrier = false;
                let replied = match to.filter(|_| self.truth.named) {
                    Some(number) => self.ledger.reply_to(|open| *open == number, error).into_iter().collect(),
                    None => self.ledger.reply(error).collect(),
                };
                self.replied(replied)
            }
        }?;
        self.send();
        Ok(())
    }

    /// Whether this error, which is next, is taken for the refusal of a handshake: as the link does it, which does
    /// not know what it answers.
    fn takes_for_refusal(&mut self, error: u64) -> bool {
        let is_named = self.truth.named && error != HANDSHAKE_REFUSED;
        if self.configured || is_named || self.ledger.awaits_reply() {
            return false;
        }
        self.ledger.handshake_refused();
        self.clouded |= !self.open.is_empty();
        self.send_other(Other::Handshake);
        true
    }

    /// All replies that will come have come.
    fn quiet_moment(&mut self) -> Result<(), String> {
        if !(self.wire.is_empty() && self.read.is_empty() && self.replies.is_empty()) {
            return Ok(());
        }
        match self.ledger.settle(Evidence::Pong) {
            Settled::All { replied, arrived } => {
                self.replied(replied)?;
                self.arrived(&arrived)?;
            }
            Settled::Undecided => self.figures.undecided += 1,
        }
        if self.ledger.is_hopeless() {
            return self.lose_link();
        }
        self.clouded = false;
        self.send();
        Ok(())
    }

    /// The ledger says that the server replied to these.
    fn replied(&mut self, replied: Vec<Replied<u64, u64>>) -> Result<(), String> {
        for (number, error) in replied {
            self.release(number)?;
            match self.delivered.get(&number) {
                None => return Err(format!("{number} was released before its reply came")),
                Some(truth) if *truth != error => {
                    return Err(format!("{number} was told {error:?}, and the server said {truth:?}"));
                }
                Some(None) => self.figures.acknowledged += 1,
                Some(Some(_)) => self.figures.rejected += 1,
            }
        }
        Ok(())
    }

    /// The ledger says that these arrived, and that the server does not reply.
    fn arrived(&mut self, numbers: &[u64]) -> Result<(), String> {
        for number in numbers {
            self.release(*number)?;
            if !self.truth.silent && !self.clouded {
                return Err(format!("{number} counts as arrived, and the server would have replied"));
            }
            if self.arrived.is_none_or(|arrived| arrived < *number) {
                return Err(format!("{number} counts as arrived, and the server has not read it"));
            }
            self.figures.arrived += 1;
        }
        Ok(())
    }

    fn release(&mut self, number: u64) -> Result<(), String> {
        let index = self.open.iter().position(|open| *open == number);
        let index = index.ok_or_else(|| format!("{number} was released twice, or never sent"))?;
        self.open.remove(index);
        Ok(())
    }

    fn lose_link(&mut self) -> Result<(), String> {
        let window = Window { messages: self.random.random_range(1..12), bytes: 1_000 };
        if self.ledger.is_contradicted() {
            self.known.forget_answers();
        }
        self.known = self.known.or(self.ledger.known());
        let next = Ledger::new(window, self.known, self.profile);
        let lost = std::mem::replace(&mut self.ledger, next);
        let back: Vec<_> = lost.into_unacknowledged().collect();
        if back != self.open {
            return Err(format!("{:?} were open, and {back:?} came back", self.open));
        }
        self.figures.put_back += back.len() as u64;
        for number in back.into_iter().rev() {
            self.outbox.push_front(number);
        }
        self.open.clear();
        self.wire.clear();
        self.read.clear();
        self.replies.clear();
        self.delivered.clear();
        (self.arrived, self.barrier, self.configured) = (None, false, false);
        (self.clouded, self.began) = (false, false);
        self.begin_link()
    }

    /// The handshake of a new link. By the time of the configuration the server has processed it. It may have
    /// acknowledged it several times; one reply at most may come later.
    fn begin_link(&mut self) -> Result<(), String> {
        self.send_other(Other::Handshake);
        self.read();
        self.process();
        self.began = true;
        self.replies.retain(|reply| !matches!(reply, Reply::Configuration));
        if !self.replies.is_empty() && self.profile == AckProfile::Auto {
            let more = self.random.random_range(0..10);
            self.acknowledge(more);
            for _ in 0..more {
                self.receive()?;
            }
        }
        self.configured = true;
        self.send();
        Ok(())
    }

    /// Everything is delivered: in the end each notification is released.
    fn finish(&mut self) -> Result<(), String> {
        for _ in 0..1_000 {
            while !self.wire.is_empty() {
                self.read();
            }
            while !self.read.is_empty() {
                self.process();
            }
            while !self.replies.is_empty() {
                self.receive()?;
            }
            self.quiet_moment()?;
            self.ping();
            if self.open.is_empty() && self.outbox.is_empty() && !self.barrier {
                return Ok(());
            }
            if self.figures.undecided > 0 && self.wire.is_empty() {
                // Several readings fit for good: late, which is allowed, and ended by patience or a lost link.
                return Ok(());
            }
        }
        Err(format!("{:?} were never released", self.open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_agrees_with_its_model() {
        let (seed, schedules) = (rand::random::<u32>().into(), 10_000);
        let figures = check(seed, schedules).unwrap_or_else(|violation| panic!("{violation}"));
        let Figures { sent, acknowledged, rejected, arrived, put_back, undecided } = figures;
        let often = [sent, acknowledged, rejected, arrived, put_back];
        assert!(often.iter().all(|count| *count > schedules), "seeds from {seed}: {figures:?}");
        assert!(undecided < schedules / 10, "seeds from {seed}: {figures:?}");
    }
}
