//! [`Transit`]: what is on its way in one direction, and when it goes on.
//!
//! No I/O and no clock: bytes go in with the time at which they were read, and come out, a slice at a time,
//! when they are due. All randomness is here.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::line::Line;

/// Bytes that may be on their way; a sender that is faster than the line waits.
const CAPACITY: usize = 256 * 1024;
/// Under a limit of bandwidth, a write takes about this much time.
const TICK: Duration = Duration::from_millis(10);

/// What can be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Write some of this.
    Bytes(&'a [u8]),
    /// The stream has ended.
    End,
    /// Nothing before this moment.
    NotBefore(Instant),
    /// Nothing before something is put in.
    Nothing,
}

/// Bytes that were read together.
#[derive(Debug)]
struct Parcel {
    due: Instant,
    bytes: Vec<u8>,
    /// How many of them are gone.
    gone: usize,
}

#[derive(Debug)]
pub(super) struct Transit {
    rng: StdRng,
    parcels: VecDeque<Parcel>,
    waiting: usize,
    /// When the last parcel is due: jitter does not change the order.
    last_due: Option<Instant>,
    /// When the bandwidth allows for the next write.
    free_at: Option<Instant>,
    /// Size of the next write.
    slice: Option<usize>,
    /// When the end of the stream is due.
    end: Option<Instant>,
}

impl Transit {
    pub(super) fn new(rng: StdRng) -> Self {
        let parcels = VecDeque::new();
        Self { rng, parcels, waiting: 0, last_due: None, free_at: None, slice: None, end: None }
    }

    /// How many more bytes may be read.
    pub(super) fn room(&self) -> usize {
        if self.has_ended() { 0 } else { CAPACITY.saturating_sub(self.waiting) }
    }

    /// How many bytes are on their way.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether the end of the stream was put in.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Puts in what was read.
    pub(super) fn put(&mut self, line: &Line, bytes: &[u8], now: Instant) {
        let due =
            (now + line.latency + line.jitter.mul_f64(self.rng.random())).max(self.last_due.unwrap_or(now));
        self.last_due = Some(due);
        self.waiting += bytes.len();
        self.parcels.push_back(Parcel { due, bytes: bytes.to_vec(), gone: 0 });
    }

    /// Puts in the end of the stream.
    pub(super) fn end(&mut self, line: &Line, now: Instant) {
        let due = (now + line.latency).max(self.last_due.unwrap_or(now));
        self.end = Some(due + line.slow_close);
    }

    /// Lets what is on its way profit from a line that has become faster.
    pub(super) fn hurry(&mut self, line: &Line, now: Instant) {
        let latest = now + line.latency + line.jitter;
        for parcel in &mut self.parcels {
            parcel.due = parcel.due.min(latest);
        }
        self.last_due = self.last_due.map(|due| due.min(latest));
        self.end = self.end.map(|end| end.min(latest + line.slow_close));
        (self.free_at, self.slice) = (None, None);
    }

    /// What can be done now.
    pub(super) fn next(&mut self, line: &Line, now: Instant) -> Next<'_> {
        let Some(parcel) = self.parcels.front() else {
            return match self.end {
                None => Next::Nothing,
                Some(end) if end <= now => Next::End,
                Some(end) => Next::NotBefore(end),
            };
        };
        let due = self.free_at.map_or(parcel.due, |free_at| free_at.max(parcel.due));
        if due > now {
            return Next::NotBefore(due);
        }
        let rest = &parcel.bytes[parcel.gone..];
        let slice = *self.slice.get_or_insert_with(|| slice(line, &mut self.rng));
        Next::Bytes(&rest[..rest.len().min(slice)])
    }

    /// Takes out what was written of the bytes that were [next](Self::next).
    pub(super) fn wrote(&mut self, line: &Line, bytes: usize, now: Instant) {
        self.slice = None;
        self.free_at =
            line.bandwidth.map(|bandwidth| self.free_at.unwrap_or(now).max(now) + time(bytes, bandwidth));
        self.drop_front(bytes);
    }

    /// Takes out a random part of what is on its way, not all of it: what still arrives of a torn stream.
    pub(super) fn tear(&mut self) -> Vec<u8> {
        let part = if self.waiting < 2 { 0 } else { self.rng.random_range(1..self.waiting) };
        self.take(part)
    }

    /// Takes out so many bytes, due or not.
    pub(super) fn take(&mut self, bytes: usize) -> Vec<u8> {
        let all = self.parcels.iter().flat_map(|parcel| &parcel.bytes[parcel.gone..]);
        let taken: Vec<_> = all.take(bytes).copied().collect();
        self.drop_front(taken.len());
        taken
    }

    /// Throws away all bytes that are on their way and says how many they were. The end stays.
    pub(super) fn lose(&mut self) -> usize {
        self.parcels.clear();
        std::mem::take(&mut self.waiting)
    }

    fn drop_front(&mut self, mut bytes: usize) {
        self.waiting -= bytes;
        while let Some(parcel) = self.parcels.front_mut() {
            let rest = parcel.bytes.len() - parcel.gone;
            if bytes < rest {
                parcel.gone += bytes;
                return;
            }
            bytes -= rest;
            self.parcels.pop_front();
        }
    }
}

/// The size of a write, which is what a limit of bandwidth lets through in a tick, too.
fn slice(line: &Line, rng: &mut StdRng) -> usize {
    let tick = line.bandwidth.map_or(usize::MAX, |bandwidth| {
        usize::try_from(u128::from(bandwidth) * TICK.as_millis() / 1_000).unwrap_or(usize::MAX)
    });
    let chosen = line.slices.clone().map_or(usize::MAX, |slices| rng.random_range(slices));
    tick.min(chosen).max(1)
}

/// How long so many bytes take.
fn time(bytes: usize, bandwidth: u64) -> Duration {
    let nanos = bytes as u128 * 1_000_000_000 / u128::from(bandwidth);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn transit() -> (Transit, Instant) {
        (Transit::new(StdRng::seed_from_u64(1)), Instant::now())
    }

    /// Everything that comes out until `now`, write by write.
    fn drain(transit: &mut Transit, line: &Line, now: Instant) -> Vec<Vec<u8>> {
        let mut writes = Vec::new();
        while let Next::Bytes(bytes) = transit.next(line, now) {
            let bytes = bytes.to_vec();
            transit.wrote(line, bytes.len(), now);
            writes.push(bytes);
        }
        writes
    }

    #[test]
    fn a_clear_line_forwards_at_once_and_ends_at_the_end() {
        let (mut transit, now) = transit();
        let line = Line::clear();
        assert_eq!(transit.next(&line, now), Next::Nothing);
        transit.put(&line, b"abc", now);
        transit.end(&line, now);
        assert_eq!(transit.room(), 0, "nothing is read after the end");
        assert_eq!(drain(&mut transit, &line, now), [b"abc"]);
        assert_eq!(transit.next(&line, now), Next::End);
    }

    #[test]
    fn latency_delays_and_jitter_keeps_the_order() {
        let (mut transit, now) = transit();
        let line = Line::clear().latency(SECOND).jitter(SECOND);
        for byte in 0..100 {
            transit.put(&line, &[byte], now);
        }
        assert!(matches!(transit.next(&line, now), Next::NotBefore(due) if due >= now + SECOND));
        let (mut bytes, mut times) = (Vec::new(), Vec::new());
        while let Next::NotBefore(due) = transit.next(&line, times.last().copied().unwrap_or(now)) {
            bytes.extend(drain(&mut transit, &line, due).concat());
            times.push(due);
        }
        assert_eq!(bytes, (0..100).collect::<Vec<_>>());
        assert!(times.len() > 1 && times.is_sorted() && times[times.len() - 1] <= now + SECOND * 2);
    }

    #[test]
    fn a_line_that_becomes_faster_frees_what_is_on_its_way() {
        let (mut transit, now) = transit();
        let slow = Line::clear().latency(SECOND * 100).slow_close(SECOND * 100).bandwidth(1);
        transit.put(&slow, b"abc", now);
        transit.end(&slow, now);
        let fast = Line::clear().latency(SECOND);
        transit.hurry(&fast, now);
        assert_eq!(transit.next(&fast, now), Next::NotBefore(now + SECOND));
        assert_eq!(drain(&mut transit, &fast, now + SECOND), [b"abc"]);
        assert_eq!(transit.next(&fast, now + SECOND), Next::End);
    }

    #[test]
    fn bandwidth_takes_its_time() {
        let (mut transit, now) = transit();
        let line = Line::clear().bandwidth(1_000);
        transit.put(&line, &[0; 1_000], now);
        let (mut at, mut writes) = (now, 0);
        loop {
            match transit.next(&line, at) {
                Next::NotBefore(due) => at = due,
                Next::Bytes(bytes) => {
                    let length = bytes.len();
                    assert_eq!(length, 10, "a tick's worth");
                    transit.wrote(&line, length, at);
                    writes += 1;
                }
                Next::Nothing | Next::End => break,
            }
        }
        assert_eq!((writes, at - now), (100, Duration::from_millis(990)));
    }

    #[test]
    fn slices_have_the_sizes_asked_for() {
        let (mut transit, now) = transit();
        let line = Line::clear().slices(2..=5);
        transit.put(&line, &[7; 1_000], now);
        let writes = drain(&mut transit, &line, now);
        let (last, rest) = writes.split_last().expect("there are writes");
        assert!(rest.iter().all(|write| (2..=5).contains(&write.len())) && last.len() <= 5);
        assert!(rest.iter().any(|write| write.len() != rest[0].len()), "sizes vary");
        assert_eq!(writes.concat(), [7; 1_000]);
    }

    #[test]
    fn the_same_seed_slices_alike() {
        let line = Line::clear().slices(1..=100);
        let writes = [1, 1, 2].map(|seed| {
            let (mut transit, now) = (Transit::new(StdRng::seed_from_u64(seed)), Instant::now());
            transit.put(&line, &[0; 10_000], now);
            drain(&mut transit, &line, now)
        });
        assert!(writes[0] == writes[1] && writes[0] != writes[2]);
    }

    #[test]
    fn a_slow_close_comes_long_after_the_last_byte() {
        let (mut transit, now) = transit();
        let line = Line::clear().latency(SECOND).slow_close(SECOND * 10);
        transit.put(&line, b"a", now);
        transit.end(&line, now);
        assert_eq!(drain(&mut transit, &line, now + SECOND), [b"a"]);
        assert_eq!(transit.next(&line, now + SECOND), Next::NotBefore(now + SECOND * 11));
        assert_eq!(transit.next(&line, now + SECOND * 11), Next::End);
    }

    #[test]
    fn a_torn_stream_keeps_its_beginning_and_loses_something() {
        for seed in 0..200 {
            let (mut transit, now) = (Transit::new(StdRng::seed_from_u64(seed)), Instant::now());
            let line = Line::clear().latency(SECOND);
            transit.put(&line, b"abcde", now);
            transit.put(&line, b"fghij", now);
            let part = transit.tear();
            assert!(b"abcdefghij".starts_with(&part) && (1..10).contains(&part.len()), "seed {seed}");
            assert_eq!(transit.lose(), 10 - part.len());
        }
    }

    #[test]
    fn a_full_transit_has_no_room() {
        let (mut transit, now) = transit();
        transit.put(&Line::clear(), &vec![0; CAPACITY], now);
        assert_eq!(transit.room(), 0);
        transit.wrote(&Line::clear(), 100, now);
        assert_eq!(transit.room(), 100);
    }
}
