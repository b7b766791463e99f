//! WebSocket frames by hand, as a server needs them: they cost almost nothing, so what is measured is the client.
//!
//! What is sent is laid out beforehand by [`lay`]. What comes in goes through an [`Inbox`].

use std::ops::Range;

/// A message in binary, as real servers send them.
pub const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// How much is read at once.
const ROOM: usize = 256 * 1024;

/// Appends a whole frame.
pub fn lay(frames: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    frames.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frames.push(length),
        (_, Ok(length)) => {
            frames.push(126);
            frames.extend(length.to_be_bytes());
        }
        _ => {
            frames.push(127);
            frames.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frames.extend(payload);
}

/// Takes bytes as they come and gives out messages, unmasked where they lie.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// What [`Inbox::next_frame`] found.
#[derive(Debug)]
pub enum Frame {
    /// Where the message lies.
    Message(Range<usize>),
    /// To be answered with this.
    Ping(Vec<u8>),
    /// The link is to end.
    Close,
}

impl Inbox {
    /// Where the next bytes go; [`filled`](Self::filled) says how many came.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + ROOM / 2 {
            self.buffer.resize(self.end + ROOM, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// The same for a link that is idle nearly always.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.truncate(self.end);
        self.buffer.extend(bytes);
        self.end += bytes.len();
    }

    /// So many bytes came.
    pub fn filled(&mut self, bytes: usize) {
        self.end += bytes;
    }

    /// What came and was not taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Drops so many bytes of the rest.
    pub fn skip(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// The bytes of a message.
    pub fn at(&self, message: Range<usize>) -> &[u8] {
        &self.buffer[message]
    }

    /// The next whole frame.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            let (opcode, payload) = self.take()?;
            match opcode {
                CLOSE => return Some(Frame::Close),
                PING => {
                    let mut pong = Vec::new();
                    lay(&mut pong, PONG, &self.buffer[payload]);
                    return Some(Frame::Ping(pong));
                }
                PONG => {}
                _ => return Some(Frame::Message(payload)),
            }
        }
    }

    fn take(&mut self) -> Option<(u8, Range<usize>)> {
        let rest = self.rest();
        let (head, length) = match rest.get(1)? & 0x7f {
            126 => (4, usize::from(u16::from_be_bytes(rest.get(2..4)?.try_into().ok()?))),
            127 => (10, usize::try_from(u64::from_be_bytes(rest.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        let mask: [u8; 4] = rest.get(head..head + 4)?.try_into().ok()?;
        let opcode = rest[0] & 0x0f;
        let payload = self.start + head + 4..self.start + head + 4 + length;
        if payload.end > self.end {
            return None;
        }
        unmask(&mut self.buffer[payload.clone()], mask);
        self.start = payload.end;
        Some((opcode, payload))
    }
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}
