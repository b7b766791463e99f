//! [`Frames`]: which frames are asked for, one after the other.

use form_urlencoded::Serializer;

use super::error::ProgramError;
use super::following::{Event, Following};
use super::remote::Remote;

/// What is wanted. An absent choice takes all.
#[derive(Debug, Clone, Default)]
pub(super) struct Frames<'a> {
    pub(super) source: Option<&'a str>,
    pub(super) op: Option<&'a str>,
    pub(super) direction: Option<&'a str>,
    pub(super) last: Option<usize>,
    /// Whether incidents are wanted, too.
    pub(super) events: bool,
    /// Whether to go on with those that are to come.
    pub(super) follow: bool,
}

impl Frames<'_> {
    /// Takes them as they come, until there are no more or a signal comes.
    ///
    /// # Errors
    ///
    /// [`Gone`](ProgramError::Gone) when the simulator ends before that, and what `take` has.
    pub(super) fn each(
        &self,
        remote: &Remote,
        mut take: impl FnMut(&[u8]) -> Result<(), ProgramError>,
    ) -> Result<(), ProgramError> {
        let following = Following::start(remote.frames(&self.query())?)?;
        loop {
            match following.next()? {
                Event::Line(line) => take(&line)?,
                Event::End if self.follow => return Err(remote.peer.gone()),
                Event::End | Event::Signal => return Ok(()),
            }
        }
    }

    fn query(&self) -> String {
        let mut query = Serializer::new(String::new());
        let last = self.last.map(|last| last.to_string());
        let choices = [
            ("source", self.source),
            ("op", self.op),
            ("direction", self.direction),
            ("last", last.as_deref()),
        ];
        for (name, value) in choices {
            query.extend_pairs(value.map(|value| (name, value)));
        }
        if self.events {
            query.append_pair("events", "true");
        }
        if self.follow {
            query.append_pair("follow", "true");
        }
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_chosen_is_in_the_query() {
        assert_eq!(Frames::default().query(), "");
        let frames = Frames {
            source: Some("a b&c"),
            op: Some("query"),
            direction: Some("sent"),
            last: Some(2),
            events: true,
            follow: true,
        };
        assert_eq!(frames.query(), "source=a+b%26c&op=query&direction=sent&last=2&events=true&follow=true");
    }
}
