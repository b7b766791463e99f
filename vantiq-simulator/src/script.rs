//! [`Script`]: what to do the next few times, and what to do after that.

use std::collections::VecDeque;

/// A standing reply, and replies that go before it, each used once.
#[derive(Debug)]
pub(crate) struct Script<T> {
    next: VecDeque<T>,
    standing: T,
}

impl<T: Clone> Script<T> {
    pub(crate) fn new(standing: T) -> Self {
        Self { next: VecDeque::new(), standing }
    }

    /// From now on and until told otherwise; forgets what was planned.
    pub(crate) fn always(&mut self, reply: T) {
        self.next.clear();
        self.standing = reply;
    }

    /// `times` times after what is planned already, then the standing reply again.
    pub(crate) fn then(&mut self, times: usize, reply: &T) {
        self.next.extend(std::iter::repeat_n(reply, times).cloned());
    }

    /// The reply for the next time.
    pub(crate) fn peek(&self) -> &T {
        self.next.front().unwrap_or(&self.standing)
    }

    /// The reply for now.
    pub(crate) fn take(&mut self) -> T {
        self.next.pop_front().unwrap_or_else(|| self.standing.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planned_replies_come_first_and_only_once() {
        let mut script = Script::new("standing");
        script.then(2, &"planned");
        let taken: Vec<_> = std::iter::repeat_with(|| script.take()).take(4).collect();
        assert_eq!(taken, ["planned", "planned", "standing", "standing"]);
    }

    #[test]
    fn a_new_standing_reply_forgets_the_plan() {
        let mut script = Script::new(1);
        script.then(5, &2);
        script.always(3);
        assert_eq!(script.take(), 3);
    }
}
