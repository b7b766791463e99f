//! Sources that want back to a server: none too often, and a thousand of them together.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde_json::json;
use tokio::{
    io::{self, DuplexStream, duplex},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use vantiq_connector::{ConnectorSet, Source, SourceState};
use vantiq_connector_tests::{Connector, MemoryServer, Peer, Quiet, config_at};

use crate::run::{Run, block_on_paused};

/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_hours(2);

// ---- a source that is refused ----

const REFUSED_FOR: Duration = Duration::from_mins(1);
const MOST_ATTEMPTS: usize = 12;

pub(crate) fn asks_seldom_while_refused(run: &Run) -> String {
    let sources = run.count(1_000);
    let most = (0..sources).map(|_| block_on_paused(attempts_while_refused())).max().unwrap_or_default();
    assert!(most <= MOST_ATTEMPTS, "{most} attempts");
    format!("{most} attempts at most, of {sources} sources one by one")
}

/// How often a source asks while it is refused, at once each time.
async fn attempts_while_refused() -> usize {
    let refusal = json!({"status": 400, "body": {"code": "io.vantiq.refused", "message": "held elsewhere"}});
    let server = MemoryServer::default();
    let _connector = server.connector(ConnectorSet::builder().source::<Quiet>(), &["a"]);
    let mut peer = Peer::attaching(server.accept().await).await;
    peer.send(&refusal).await;
    let mut attempts = 1;
    let refuse = |message: serde_json::Value| {
        assert_eq!(message["op"], "connectExtension");
        attempts += 1;
        Some(refusal.clone())
    };
    let (_outgoing, nothing) = mpsc::unbounded_channel();
    timeout(REFUSED_FOR, peer.serve(nothing, refuse)).await.expect_err("the link is kept");
    attempts
}

// ---- a thousand sources without a server ----

/// Sources that lose their server together.
const HERD: usize = 1_000;
const MOST_HANDSHAKES: usize = 32;
const BACK_WITHIN: Duration = Duration::from_secs(35);
/// The first delays are drawn evenly from nothing to this, the default.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// What `√n·D` of Kolmogorov and Smirnov exceeds once in a million times, were the attempts even.
const KS_ONE_IN_A_MILLION: f64 = 2.693;
/// `connectRate`, and how many attempts it may let pass in a second.
const RATE: usize = 50;
const MOST_IN_A_SECOND: usize = 60;
/// At this rate the last of all has to wait so much longer.
const PACED_BACK_WITHIN: Duration = BACK_WITHIN.saturating_add(Duration::from_secs((HERD / RATE) as u64));
/// Each of the two steps of a handshake takes up to this.
const STEP: Duration = Duration::from_millis(100);
/// How long a connection takes, be it refused or not.
const DIAL: Duration = Duration::from_millis(1);
/// After this a link has proved itself.
const HEALTHY: Duration = Duration::from_secs(15);

pub(crate) fn comes_back_without_a_stampede(run: &Run) -> String {
    let (mut random, mut free, mut paced) = (run.random(), Return::default(), Return::default());
    let rounds = run.count(10);
    for _ in 0..rounds {
        let away = Duration::from_millis(random.random_range(1_000..180_000));
        free.worsen(block_on_paused(comes_back(random.random(), away, None)));
        paced.worsen(block_on_paused(comes_back(random.random(), away, Some(RATE))));
    }
    format!("{rounds} times {HERD} sources: {free}; with `connectRate={RATE}` {paced}")
}

/// How a herd came back.
#[derive(Debug, Clone, Copy, Default)]
struct Return {
    handshakes: usize,
    /// `√n·D` of the first attempts; none where they are paced.
    unevenness: Option<f64>,
    in_a_second: usize,
    back_after: Duration,
}

impl Return {
    fn worsen(&mut self, other: Self) {
        self.handshakes = self.handshakes.max(other.handshakes);
        self.unevenness = self.unevenness.into_iter().chain(other.unevenness).reduce(f64::max);
        self.in_a_second = self.in_a_second.max(other.in_a_second);
        self.back_after = self.back_after.max(other.back_after);
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} handshakes at once", self.handshakes)?;
        match self.unevenness {
            Some(unevenness) => {
                write!(
                    f,
                    ", first attempts even (√n·D {unevenness:.2} < {KS_ONE_IN_A_MILLION}, level 10⁻⁶)"
                )?;
            }
            None => write!(f, ", {} attempts in a second", self.in_a_second)?,
        }
        write!(f, ", all back after {:.1} s", self.back_after.as_secs_f64())
    }
}

/// Lets all sources connect, takes their server away for some time, and sees them come back.
async fn comes_back(seed: u64, away: Duration, rate: Option<usize>) -> Return {
    let server = HerdServer::new(seed);
    let (dialled, names) =
        (Arc::clone(&server), (0..HERD).map(|number| format!("s{number}")).collect::<Vec<_>>());
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let set = ConnectorSet::builder().source::<Quiet>().dial_with(move |_, _| Arc::clone(&dialled).dial());
    let mut config = config_at("http://in-memory", "token", &names);
    if let Some(rate) = rate {
        config = config.set("connectRate", rate.to_string());
    }
    let connector = Connector::start_with(set, config);
    server.all_attached().await;
    sleep(HEALTHY).await;

    server.leaves();
    let lost = Instant::now();
    let first_attempts = tokio::spawn(join_all(connector.set.sources().iter().cloned().map(first_attempt)));
    sleep(away).await;
    server.returns();
    let returned = Instant::now();
    server.all_attached().await;
    let back_after = returned.elapsed();
    let attempts: Vec<_> =
        first_attempts.await.expect("it is no defect").into_iter().map(|at| at - lost).collect();

    let (handshakes, in_a_second) = server.figures();
    let unevenness = rate.is_none().then(|| unevenness(&attempts));
    let result = Return { handshakes, unevenness, in_a_second, back_after };
    assert!(handshakes <= MOST_HANDSHAKES, "away {away:?}: {result:?}");
    assert!(
        unevenness.is_none_or(|unevenness| unevenness < KS_ONE_IN_A_MILLION),
        "away {away:?}: {result:?}"
    );
    assert!(rate.is_none() || in_a_second <= MOST_IN_A_SECOND, "away {away:?}: {result:?}");
    let patience = if rate.is_some() { PACED_BACK_WITHIN } else { BACK_WITHIN };
    assert!(back_after <= patience, "away {away:?}: {result:?}");
    result
}

/// When a source that has just lost its link tries for the first time.
async fn first_attempt(source: Source) -> Instant {
    source.wait_for(|state| matches!(state, SourceState::Waiting(_))).await;
    source.wait_for(|state| *state == SourceState::Connecting).await;
    Instant::now()
}

/// How far `delays` are from an even spread up to [`FIRST_DELAY`]: the statistic of Kolmogorov and Smirnov.
#[expect(clippy::cast_precision_loss, reason = "a thousand")]
fn unevenness(delays: &[Duration]) -> f64 {
    let mut delays: Vec<_> = delays.iter().map(|delay| delay.div_duration_f64(FIRST_DELAY)).collect();
    delays.sort_by(f64::total_cmp);
    let count = delays.len() as f64;
    let distance = |(rank, delay): (usize, &f64)| {
        let (below, above) = (rank as f64 / count, (rank + 1) as f64 / count);
        (delay.min(1.0) - below).abs().max((above - delay.min(1.0)).abs())
    };
    delays.iter().enumerate().map(distance).fold(0.0, f64::max) * count.sqrt()
}

/// A server in memory that takes its time for handshakes, and counts them.
struct HerdServer {
    seen: Mutex<Seen>,
    attached: watch::Sender<usize>,
}

struct Seen {
    random: SmallRng,
    is_away: bool,
    dials: Vec<Instant>,
    handshakes: usize,
    most_handshakes: usize,
    links: JoinSet<()>,
}

/// A handshake under way, from the dial to the configuration or the end.
struct Handshake(Arc<HerdServer>);

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.lock().handshakes -= 1;
    }
}

impl HerdServer {
    fn new(seed: u64) -> Arc<Self> {
        let nothing_yet = Seen {
            random: SmallRng::seed_from_u64(seed),
            is_away: false,
            dials: Vec::new(),
            handshakes: 0,
            most_handshakes: 0,
            links: JoinSet::new(),
        };
        Arc::new(Self { seen: Mutex::new(nothing_yet), attached: watch::Sender::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn dial(self: Arc<Self>) -> io::Result<DuplexStream> {
        let handshake = {
            let mut seen = self.lock();
            seen.dials.push(Instant::now());
            seen.handshakes += 1;
            seen.most_handshakes = seen.most_handshakes.max(seen.handshakes);
            Handshake(Arc::clone(&self))
        };
        sleep(DIAL).await;
        let mut seen = self.lock();
        if seen.is_away {
            drop(seen);
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (connectors, servers) = duplex(4_096);
        let steps = [(); 2].map(|()| seen.random.random_range(Duration::ZERO..STEP));
        seen.links.spawn(Arc::clone(&self).link(servers, handshake, steps));
        Ok(connectors)
    }

    async fn link(
        self: Arc<Self>,
        stream: DuplexStream,
        handshake: Handshake,
        [first, second]: [Duration; 2],
    ) {
        sleep(first).await;
        let mut peer = Peer::attaching(stream).await;
        sleep(second).await;
        peer.configure(json!({})).await;
        drop(handshake);
        self.attached.send_modify(|attached| *attached += 1);
        let (_outgoing, nothing) = mpsc::unbounded_channel();
        peer.serve(nothing, |_| None).await;
    }

    async fn all_attached(&self) {
        let mut attached = self.attached.subscribe();
        let all = attached.wait_for(|attached| *attached == HERD);
        timeout(FOR_EVER, all).await.expect("all come at some time").expect("there is a sender");
    }

    /// Ends all links at once and refuses to open others.
    fn leaves(&self) {
        let mut seen = self.lock();
        seen.is_away = true;
        let links = std::mem::take(&mut seen.links);
        drop(seen);
        drop(links);
        self.attached.send_replace(0);
    }

    fn returns(&self) {
        self.lock().is_away = false;
    }

    /// The most handshakes at once, and the most attempts in any second.
    fn figures(&self) -> (usize, usize) {
        let seen = self.lock();
        let dials = &seen.dials;
        let in_a_second = |(index, from): (usize, &Instant)| {
            dials[index..].partition_point(|at| *at < *from + Duration::from_secs(1))
        };
        let most = dials.iter().enumerate().map(in_a_second).max().unwrap_or_default();
        (seen.most_handshakes, most)
    }
}
