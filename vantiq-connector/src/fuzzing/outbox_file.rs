//! The outbox file.

use std::sync::LazyLock;

use crate::delivery::outbox_trials::{genuine, opened};

/// How an input says what it is: the whole file follows, or else changes of a genuine one.
const WHOLE: u8 = b'w';

/// Whatever is in the file, it is opened, or it is an error.
///
/// A file is large and mostly checksums, so an input is rather a list of changes: five bytes each, the place, as a
/// number in big endian, and the byte that is there then. One that begins with `w` is a whole file.
pub fn outbox_file(input: &[u8]) {
    static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| genuine(7));
    if let Some((&WHOLE, whole)) = input.split_first() {
        opened(whole.to_vec());
        return;
    }
    let mut file = GENUINE.clone();
    for change in input.as_chunks::<5>().0 {
        let [place @ .., byte] = *change;
        let place = u32::from_be_bytes(place) as usize % file.len();
        file[place] = byte;
    }
    opened(file);
}
