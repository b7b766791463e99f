//! [`Record`]: one notification as it lies in the file.
//!
//! A record describes itself, with a checksum: so those of a damaged file can be found by their beginning,
//! wherever they lie ([`carve`]). What was removed may lie there as well. To tell the two apart each record
//! names the oldest of its source that was in the file when it came: those before that one had been removed.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::time::Instant;

use crate::delivery::outbox::Draft;

/// How a record begins. The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"vqoutbx\x01";
/// Bytes before the source's name: the magic, the checksum, the lengths of name and frame, and four numbers.
const HEAD: usize = MAGIC.len() + 4 + 4 + 4 + 4 * 8;
/// In place of a number that is not there.
const NONE: u64 = u64::MAX;

/// One notification as it lies in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Its place in the order of all notifications of the file.
    pub(super) number: u64,
    /// The oldest of its source that was in the file when it came, or its own number.
    pub(super) oldest: u64,
    pub(super) source: String,
    pub(super) frame: Bytes,
    pub(super) request_id: Option<u64>,
    /// When it is of no use any more, in milliseconds since 1970.
    pub(super) expires_at: Option<u64>,
}

impl Record {
    pub(super) fn new(number: u64, oldest: u64, source: &str, draft: &Draft) -> Self {
        let expires_at = draft.expires_at.map(|at| to_wall(at, Instant::now(), SystemTime::now()));
        let (frame, request_id) = (draft.frame.clone(), draft.request_id);
        Self { number, oldest, source: source.to_owned(), frame, request_id, expires_at }
    }

    pub(super) fn draft(&self) -> Draft {
        let expires_at = self.expires_at.map(|at| from_wall(at, Instant::now(), SystemTime::now()));
        Draft { frame: self.frame.clone(), request_id: self.request_id, expires_at }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let size = |len: usize| u32::try_from(len).expect("a message has less than 4 GiB").to_le_bytes();
        let numbers =
            [self.number, self.oldest, self.request_id.unwrap_or(NONE), self.expires_at.unwrap_or(NONE)];
        let mut bytes = Vec::with_capacity(HEAD + self.source.len() + self.frame.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&size(self.source.len()));
        bytes.extend_from_slice(&size(self.frame.len()));
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(self.source.as_bytes());
        bytes.extend_from_slice(&self.frame);
        let checksum = crc32fast::hash(&bytes[MAGIC.len() + 4..]);
        bytes[MAGIC.len()..MAGIC.len() + 4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The record at the beginning of `bytes`, and its length; `None` where there is no whole one.
    pub(super) fn decode(bytes: &[u8]) -> Option<(Self, usize)> {
        let mut rest = bytes.strip_prefix(&MAGIC)?;
        let checksum = u32::from_le_bytes(take(&mut rest)?);
        let summed = rest;
        let source_len = u32::from_le_bytes(take(&mut rest)?) as usize;
        let frame_len = u32::from_le_bytes(take(&mut rest)?) as usize;
        let mut number = || take(&mut rest).map(u64::from_le_bytes);
        let (own, oldest, request_id, expires_at) = (number()?, number()?, number()?, number()?);
        let (source, rest) = rest.split_at_checked(source_len)?;
        let frame = rest.get(..frame_len)?;
        let len = HEAD + source_len + frame_len;
        if crc32fast::hash(summed.get(..len - MAGIC.len() - 4)?) != checksum {
            return None;
        }
        let source = String::from_utf8(source.to_vec()).ok()?;
        let some = |number| Some(number).filter(|number| *number != NONE);
        let (request_id, expires_at) = (some(request_id), some(expires_at));
        let frame = Bytes::copy_from_slice(frame);
        Some((Self { number: own, oldest, source, frame, request_id, expires_at }, len))
    }
}

/// The records that lie anywhere in `bytes`, by their number, without those that are known to have been
/// removed. Some of the last that were removed may be among them: they will be sent twice.
pub(super) fn carve(bytes: &[u8]) -> BTreeMap<u64, Record> {
    let mut found = BTreeMap::new();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..) {
        if !rest.starts_with(&MAGIC) {
            // The rest of the magic does not begin with its first byte.
            at +=
                rest.iter().skip(1).position(|byte| *byte == MAGIC[0]).map_or(rest.len().max(1), |to| to + 1);
        } else if let Some((record, len)) = Record::decode(rest) {
            at += len;
            found.insert(record.number, record);
        } else {
            at += 1;
        }
    }
    let mut oldest: HashMap<String, u64> = HashMap::new();
    for record in found.values() {
        let known = oldest.entry(record.source.clone()).or_default();
        *known = record.oldest.max(*known);
    }
    found.retain(|number, record| *number >= oldest[&record.source]);
    found
}

/// Takes so many bytes from the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// An instant in milliseconds since 1970.
fn to_wall(at: Instant, now: Instant, wall: SystemTime) -> u64 {
    let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = (wall + at.saturating_duration_since(now)).saturating_sub(now.saturating_duration_since(at));
    u64::try_from(at.as_millis()).unwrap_or(NONE - 1)
}

/// The same back, now where it is over; what cannot be told by the clock is over never, or in a year.
fn from_wall(at: u64, now: Instant, wall: SystemTime) -> Instant {
    let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(at).saturating_sub(wall);
    now.checked_add(left).unwrap_or(now + Duration::from_hours(365 * 24))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(number: u64, oldest: u64, source: &str) -> Record {
        let frame = Bytes::from(format!("{{\"number\":{number}}}"));
        Record { number, oldest, source: source.into(), frame, request_id: None, expires_at: None }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            (number, oldest) in any::<(u64, u64)>(),
            source in ".*",
            frame in any::<Vec<u8>>(),
            (request_id, expires_at) in any::<(Option<u64>, Option<u64>)>(),
            behind in any::<Vec<u8>>(),
        ) {
            let some = |number: Option<u64>| number.filter(|number| *number != NONE);
            let (request_id, expires_at) = (some(request_id), some(expires_at));
            let record = Record { number, oldest, source, frame: frame.into(), request_id, expires_at };
            let bytes = record.encode();
            prop_assert_eq!(Record::decode(&bytes[..bytes.len() - 1]), None);
            let len = bytes.len();
            prop_assert_eq!(Record::decode(&[bytes, behind].concat()), Some((record, len)));
        }

        #[test]
        fn no_record_is_made_up(at in 0..80_usize, bits in 1..=255_u8) {
            let mut bytes = record(1, 1, "a").encode();
            let at = at % bytes.len();
            bytes[at] ^= bits;
            prop_assert_eq!(Record::decode(&bytes), None);
        }

        #[test]
        fn any_bytes_can_be_carved(bytes in prop::collection::vec(prop_oneof![Just(b'v'), any::<u8>()], 0..300)) {
            prop_assert!(carve(&bytes).is_empty());
            let whole = [&bytes[..], &record(1, 1, "a").encode(), &bytes].concat();
            prop_assert_eq!(carve(&whole).into_values().collect::<Vec<_>>(), [record(1, 1, "a")]);
        }
    }

    #[test]
    fn what_was_removed_before_the_newest_came_is_not_carved() {
        let records = [record(1, 1, "a"), record(2, 1, "a"), record(3, 3, "b"), record(4, 2, "a")];
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        let numbers: Vec<_> = carve(&bytes).into_keys().collect();
        assert_eq!(numbers, [2, 3, 4], "1 had been removed when 4 came");
    }

    #[test]
    fn expiry_outlasts_the_process() {
        let (now, wall) = (Instant::now(), UNIX_EPOCH + Duration::from_secs(1_000));
        let soon = to_wall(now + Duration::from_secs(5), now, wall);
        assert_eq!(soon, 1_005_000);
        let later = |seconds| from_wall(soon, now, wall + Duration::from_secs(seconds)) - now;
        assert_eq!([later(2), later(9)], [Duration::from_secs(3), Duration::ZERO]);
        assert!(from_wall(NONE - 1, now, wall) > now);
    }
}
