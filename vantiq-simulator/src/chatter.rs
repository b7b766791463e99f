//! [`Chatter`]: so much is logged of what goes on, and no more.
//!
//! A line for each message is what a person wants to see, and what nobody can read, nor a terminal bear, when
//! thousands come a second.

use tokio::time::{Duration, Instant};
use tracing::info;

/// Lines about messages within a [`SECOND`].
const LINES: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);

/// Says which messages get a line.
#[derive(Debug)]
pub(crate) struct Chatter {
    began: Instant,
    said: u32,
    unsaid: u64,
}

impl Default for Chatter {
    fn default() -> Self {
        Self { began: Instant::now(), said: 0, unsaid: 0 }
    }
}

impl Chatter {
    /// Whether a message of now gets a line. How many got none is told with the first of the next second that
    /// does.
    pub(crate) fn may_speak(&mut self, now: Instant) -> bool {
        if now.duration_since(self.began) >= SECOND {
            if self.unsaid > 0 {
                info!(messages = self.unsaid, "too many to log each");
            }
            *self = Self { began: now, said: 0, unsaid: 0 };
        }
        let may_speak = self.said < LINES;
        if may_speak {
            self.said += 1;
        } else {
            self.unsaid += 1;
        }
        may_speak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_second_and_no_more() {
        let mut chatter = Chatter::default();
        let now = Instant::now();
        let said = (0..1_000).filter(|_| chatter.may_speak(now)).count();
        assert_eq!((said, chatter.unsaid), (LINES as usize, 950));
        assert!(chatter.may_speak(now + SECOND));
        assert_eq!(chatter.unsaid, 0);
    }
}
