//! [`IncidentLine`]: an incident as it is told.

use serde::Serialize;

use super::since_1970;
use crate::cut::Ending;
use crate::fault_word::{CutWord, Fault};
use crate::incident::{Happening, Incident, Lasting};

/// An incident with what a reader wants to know of it.
#[derive(Debug, Serialize)]
pub(super) struct IncidentLine<'a> {
    incident: u64,
    after: u64,
    at: f64,
    link: Option<u64>,
    sources: Vec<&'a str>,
    #[serde(flatten)]
    event: Event<'a>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Event<'a> {
    LinkOpened,
    LinkEnded {
        why: &'static str,
        /// The status of the close frame of a connector that sent one.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u16>,
        /// Of a cut.
        #[serde(skip_serializing_if = "Option::is_none")]
        how: Option<CutWord>,
    },
    Fault {
        #[serde(flatten)]
        fault: &'a Fault,
    },
    Healed {
        what: &'static str,
    },
}

impl<'a> IncidentLine<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        Self {
            incident: incident.number,
            after: incident.after,
            at: since_1970(incident.at),
            link: incident.link,
            sources: incident.sources.iter().map(|name| &**name).collect(),
            event: Event::of(&incident.what),
        }
    }
}

impl<'a> Event<'a> {
    fn of(what: &'a Happening) -> Self {
        match what {
            Happening::Opened => Self::LinkOpened,
            Happening::Ended(ending) => ended(ending),
            Happening::Inflicted(fault) => Self::Fault { fault },
            Happening::Healed(what) => Self::Healed {
                what: match what {
                    Lasting::Pace => "pace",
                    Lasting::Refusal => "refuse",
                    Lasting::Policy => "acknowledge",
                },
            },
        }
    }
}

fn ended(ending: &Ending) -> Event<'static> {
    let (why, code, how) = match ending {
        Ending::ClosedByConnector { code } => ("closedByConnector", *code, None),
        Ending::Lost => ("lost", None, None),
        Ending::Cut(cut) => ("cut", None, Some(CutWord::of(*cut))),
        Ending::Idle => ("idle", None, None),
        Ending::Oversized => ("oversized", None, None),
        Ending::Stopped => ("stopped", None, None),
    };
    Event::LinkEnded { why, code, how }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cut::Cut;

    #[test]
    fn an_incident_says_what_it_is() {
        let slow = Fault::Slow { ms: 20 };
        for (what, told) in [
            (Happening::Opened, json!({"event": "linkOpened"})),
            (Happening::Ended(Ending::Lost), json!({"event": "linkEnded", "why": "lost"})),
            (
                Happening::Ended(Ending::Cut(Cut::MidFrame)),
                json!({"event": "linkEnded", "why": "cut", "how": "midframe"}),
            ),
            (
                Happening::Ended(Ending::ClosedByConnector { code: Some(1000) }),
                json!({"event": "linkEnded", "why": "closedByConnector", "code": 1000}),
            ),
            (Happening::Inflicted(slow), json!({"event": "fault", "fault": "slow", "ms": 20})),
            (Happening::Healed(Lasting::Refusal), json!({"event": "healed", "what": "refuse"})),
        ] {
            assert_eq!(json!(Event::of(&what)), told);
        }
    }
}
