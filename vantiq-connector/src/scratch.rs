//! [`with_scratch`]: a buffer in which something is written before its size is known.

use std::cell::Cell;

/// What is kept between two uses at most: enough for most messages.
const KEPT: usize = 64 * 1024;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Has `write` write to an empty buffer, which costs no allocation most of the time. It may be called from within
/// itself, by a `Serialize` of a user, and then begins with another buffer.
pub(crate) fn with_scratch<R>(write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut scratch = SCRATCH.take();
    let written = write(&mut scratch);
    if scratch.capacity() <= KEPT {
        scratch.clear();
        SCRATCH.set(scratch);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_empty_each_time_also_within_itself() {
        let outer = with_scratch(|outer| {
            outer.extend_from_slice(b"outer");
            with_scratch(|inner| {
                assert!(inner.is_empty());
                inner.resize(2 * KEPT, 0);
            });
            outer.clone()
        });
        assert_eq!(outer, b"outer");
        with_scratch(|again| assert!(again.is_empty() && again.capacity() <= KEPT));
    }
}
