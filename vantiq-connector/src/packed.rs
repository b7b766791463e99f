//! [`packed`]: copies of texts that are kept for a while.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};

/// What is allocated for several texts at once. A text that is kept for longer than its neighbours keeps as much
/// memory, so it is not larger.
const PIECE: usize = 1024;
/// A longer text has an allocation of its own: few would share one.
const LONGEST: usize = PIECE / 4;

thread_local! {
    /// What is left of a piece.
    static REST: Cell<BytesMut> = Cell::new(BytesMut::new());
}

/// A copy of `text`. Short ones share an allocation with others of this thread: to allocate and free each by itself
/// takes a tenth of a notification.
pub(crate) fn packed(text: &[u8]) -> Bytes {
    if text.len() > LONGEST {
        return Bytes::copy_from_slice(text);
    }
    let mut rest = REST.take();
    if rest.capacity() < text.len() {
        rest = BytesMut::with_capacity(PIECE);
    }
    rest.extend_from_slice(text);
    let copy = rest.split().freeze();
    REST.set(rest);
    copy
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

    #[test]
    fn short_texts_are_neighbours() {
        let copies: Vec<_> = (0..PIECE / 8).map(|_| packed(b"12345678")).collect();
        let neighbours = copies.windows(2).filter(|two| two[0].as_ptr().wrapping_add(8) == two[1].as_ptr());
        assert!(neighbours.count() >= copies.len() - 2, "all but at the seam between two pieces");
    }
}
