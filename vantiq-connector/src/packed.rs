//! [`Piece`]: memory that short texts share.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// What is allocated for several texts at once. A text that is kept for longer than its neighbours keeps as much
/// memory, so it is not larger.
const PIECE: usize = 1024;
/// A longer text has an allocation of its own: few would share one.
const LONGEST: usize = PIECE / 4;

/// What is left of an allocation that short texts share: to allocate and free each by itself takes a tenth of a
/// notification. All of it is kept for as long as one of them, so they should come and go together.
#[derive(Debug, Default)]
pub(crate) struct Piece(BytesMut);

impl Piece {
    /// A copy of `text`.
    pub(crate) fn copy(&mut self, text: &[u8]) -> Bytes {
        if text.len() > LONGEST {
            return Bytes::copy_from_slice(text);
        }
        if self.0.capacity() < text.len() {
            self.0 = BytesMut::with_capacity(PIECE);
        }
        self.0.extend_from_slice(text);
        self.0.split().freeze()
    }
}

thread_local! {
    static MOMENTARY: RefCell<Piece> = RefCell::default();
}

/// A copy of `text`, in one piece with others of this thread. For what belongs to a query, of which there are few at
/// once.
pub(crate) fn packed(text: &[u8]) -> Bytes {
    MOMENTARY.with_borrow_mut(|piece| piece.copy(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_all_lengths_stay_as_they_were() {
        let text =
            |length: usize| (0..length).map(|index| (index + length).to_le_bytes()[0]).collect::<Vec<_>>();
        let lengths = 0..2 * LONGEST;
        let copies: Vec<_> = lengths.clone().map(|length| packed(&text(length))).collect();
        for (length, copy) in lengths.zip(copies) {
            assert_eq!(copy, text(length));
        }
    }

    /// Or an event that waits would keep the memory of many that do not.
    #[test]
    fn short_texts_of_one_owner_are_neighbours() {
        let (mut piece, mut other) = (Piece::default(), Piece::default());
        let mut copy = || {
            drop((other.copy(b"something else"), packed(b"and else")));
            piece.copy(b"12345678")
        };
        let copies: Vec<_> = (0..PIECE / 8).map(|_| copy()).collect();
        let neighbours = copies.windows(2).filter(|two| two[0].as_ptr().wrapping_add(8) == two[1].as_ptr());
        assert!(neighbours.count() >= copies.len() - 2, "all but at the seam between two pieces");
    }
}
