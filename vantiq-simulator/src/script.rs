//! [`Script`]: what to do the next few times, and what to do after that.

use std::collections::VecDeque;

/// A standing reply, and replies that go before it, each used once.
#[derive(Debug)]
pub(crate) struct Script<T> {
    /// Each with how often it is still to be used, which is never 0.
    next: VecDeque<(usize, T)>,
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
        if times > 0 {
            self.next.push_back((times, reply.clone()));
        }
    }

    /// The reply for the next time.
    pub(crate) fn peek(&self) -> &T {
        self.next.front().map_or(&self.standing, |(_, reply)| reply)
    }

    /// How often [that](Self::peek) is the reply before there is another; `None` where it is the standing one, too.
    pub(crate) fn left(&self) -> Option<usize>
    where
        T: PartialEq,
    {
        let next = self.peek();
        let is_next = |planned: &&(usize, T)| planned.1 == *next;
        let other = self.next.iter().find(|planned| !is_next(planned));
        if other.is_none() && self.standing == *next {
            return None;
        }
        let times = self.next.iter().take_while(is_next).map(|(times, _)| *times);
        Some(times.fold(0, usize::saturating_add))
    }

    /// The reply for now.
    pub(crate) fn take(&mut self) -> T {
        let Some((times, reply)) = self.next.front_mut() else { return self.standing.clone() };
        *times -= 1;
        let (is_over, reply) = (*times == 0, reply.clone());
        if is_over {
            self.next.pop_front();
        }
        reply
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
    fn any_number_of_times_takes_no_room() {
        let mut script = Script::new("standing");
        script.then(usize::MAX, &"planned");
        script.then(0, &"never");
        assert_eq!((script.take(), *script.peek()), ("planned", "planned"));
    }

    #[test]
    fn what_is_left_is_known() {
        let mut script = Script::new(1);
        assert_eq!(script.left(), None);
        script.then(2, &2);
        script.then(3, &2);
        assert_eq!(script.left(), Some(5), "twice the same is one plan");
        script.then(1, &3);
        script.take();
        assert_eq!(script.left(), Some(4));
        script.always(2);
        script.then(1, &2);
        assert_eq!(script.left(), None);
    }

    #[test]
    fn a_new_standing_reply_forgets_the_plan() {
        let mut script = Script::new(1);
        script.then(5, &2);
        script.always(3);
        assert_eq!(script.take(), 3);
    }
}
