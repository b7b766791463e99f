//! [`Plan`]: all that chance decides about a scene, drawn from its seed.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use vantiq_connector::AckProfile;

/// Trouble begins when a link can stand, and is over at the latest by then.
const TROUBLE_FROM: u64 = 500;
const TROUBLE_UNTIL: u64 = 14_000;
/// Each trouble lasts at most so long: longer than a silence for which a link is taken for dead.
const LONGEST_TROUBLE: u64 = 7_000;

/// All that chance decides about a scene.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Of what is decided while the scene runs.
    pub(super) seed: u64,
    pub(super) sources: usize,
    /// How finely the network is simulated.
    pub(super) tick: Duration,
    /// Of a segment on its way, at least and at most.
    pub(super) latency: (Duration, Duration),
    pub(super) manners: Manners,
    /// What the connector is told of the server's acknowledgements.
    pub(super) profile: AckProfile,
    pub(super) pings: bool,
    pub(super) request_ids: bool,
    /// Milliseconds from one notification to the next, at most.
    pub(super) pause: u64,
    /// What happens to network and server, and when, in order.
    pub(super) troubles: Vec<(Duration, Trouble)>,
    /// When all is well again.
    pub(super) repaired_at: Duration,
    /// Whether the connector is stopped only when all receipts are resolved.
    pub(super) patient: bool,
}

/// What the server does.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a server may do")]
pub(super) struct Manners {
    /// Whether it acknowledges notifications.
    pub(super) notifications: bool,
    /// How many of four handshakes it acknowledges.
    pub(super) handshakes: u32,
    /// Whether it acknowledges a handshake before it configures, or after.
    pub(super) before: bool,
    /// Whether it may do so more than once at the beginning of a link.
    pub(super) often: bool,
    /// Whether it acknowledges answers, each part of them.
    pub(super) answers: bool,
    /// Whether its replies to notifications name them.
    pub(super) named: bool,
    /// It refuses each notification whose number has this remainder by seven.
    pub(super) refuses: Option<u64>,
    /// Milliseconds that it takes for one message, at most. Pings it answers at once. Where the connector has to
    /// find out what is acknowledged, it counts on less than the half second that it waits after a pong, so
    /// nothing else may hold up acknowledgements then.
    pub(super) lateness: u64,
    /// Milliseconds from one thing that it does by itself to the next, at most.
    pub(super) leisure: u64,
}

/// What happens to network and server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Whatever is sent waits.
    Hold,
    Release,
    /// Whatever is sent in both directions, or to one side, is lost.
    Partition,
    LosesToServer,
    LosesToConnector,
    Repair,
    /// Segments take so many milliseconds.
    Latency(u64),
    /// The server's process is gone, but for what it stored.
    Crash,
    Bounce,
    /// The server ends all links without a word.
    Cut,
    /// The server refuses sources.
    Refuse,
    Accept,
    /// The server reads and writes nothing.
    Stall,
    Resume,
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let random = &mut random;
        let (pings, mut manners) = (random.random_ratio(7, 8), Manners::draw(random));
        let profile = manners.profile(random);
        manners.often &= profile == AckProfile::Auto;
        let least = [0, 1, 20][random.random_range(0..3)];
        let latency = (millis(least), millis(least + random.random_range(1..=80)));
        let may_be_held = profile != AckProfile::Auto || manners.lateness == 0;
        let repaired_at = millis(random.random_range(TROUBLE_FROM..=TROUBLE_UNTIL) + 500);
        Self {
            sources: random.random_range(1..=2),
            tick: millis(random.random_range(15..=40)),
            latency,
            manners,
            profile,
            pings,
            request_ids: manners.named || random.random_ratio(1, 8),
            pause: [40, 300, 1_500][random.random_range(0..3)],
            troubles: troubles(random, repaired_at, pings, may_be_held),
            repaired_at,
            patient: random.random_bool(0.7),
            seed: random.random(),
        }
    }

    /// Whether the network loses anything.
    pub(super) fn loses(&self) -> bool {
        self.troubles.iter().any(|(_, trouble)| trouble.loses())
    }
}

impl Manners {
    fn draw(random: &mut SmallRng) -> Self {
        let notifications = random.random_ratio(5, 6);
        Self {
            notifications,
            handshakes: if notifications { [0, 0, 1, 2, 4, 4][random.random_range(0..6)] } else { 0 },
            before: random.random_bool(0.5),
            often: random.random_bool(0.5),
            answers: notifications && random.random_bool(0.5),
            named: notifications && random.random_ratio(1, 6),
            refuses: (notifications && random.random_ratio(1, 4)).then(|| random.random_range(0..7)),
            lateness: [0, 0, 0, 30, 200][random.random_range(0..5)],
            leisure: [200, 1_000, 5_000][random.random_range(0..3)],
        }
    }

    /// What an operator says who knows the server, or who does not.
    fn profile(&self, random: &mut SmallRng) -> AckProfile {
        let truth = match self {
            Self { notifications: false, .. } => AckProfile::None,
            Self { answers: false, handshakes: 0, .. } => AckProfile::Notifications,
            Self { answers: true, handshakes: 4, .. } => AckProfile::All,
            _ => AckProfile::Auto,
        };
        if random.random_bool(0.4) { truth } else { AckProfile::Auto }
    }
}

/// Some troubles, each with its end. Without pings nothing is lost: what is lost here is never sent again, as TCP
/// would, and nobody would notice.
fn troubles(
    random: &mut SmallRng,
    until: Duration,
    pings: bool,
    may_be_held: bool,
) -> Vec<(Duration, Trouble)> {
    let mut troubles = Vec::new();
    for _ in 0..random.random_range(0..=6) {
        let begin = millis(random.random_range(TROUBLE_FROM..=TROUBLE_UNTIL));
        let end = begin + millis(random.random_range(50..=LONGEST_TROUBLE));
        let (trouble, cure) = draw_trouble(random);
        if (pings || !trouble.loses()) && (may_be_held || !trouble.holds_up()) {
            troubles.extend([(begin, trouble), (end, cure)]);
        }
    }
    troubles.retain(|(at, _)| *at < until);
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}

/// A trouble and what ends it.
fn draw_trouble(random: &mut SmallRng) -> (Trouble, Trouble) {
    match random.random_range(0..12) {
        0 => (Trouble::Partition, Trouble::Repair),
        1 => (Trouble::LosesToServer, Trouble::Repair),
        2 => (Trouble::LosesToConnector, Trouble::Repair),
        3..=5 => (Trouble::Hold, Trouble::Release),
        6 => (Trouble::Latency(random.random_range(100..=1_500)), Trouble::Latency(30)),
        7 => (Trouble::Crash, Trouble::Bounce),
        8 => (Trouble::Refuse, Trouble::Accept),
        9 | 10 => (Trouble::Stall, Trouble::Resume),
        _ => (Trouble::Cut, Trouble::Accept),
    }
}

impl Trouble {
    const fn loses(self) -> bool {
        matches!(self, Self::Partition | Self::LosesToServer | Self::LosesToConnector)
    }

    const fn holds_up(self) -> bool {
        matches!(self, Self::Hold | Self::Latency(_) | Self::Stall)
    }
}

pub(super) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
