//! `sources`: who is there, and how they are.

use clap::Args;
use serde::Deserialize;

use super::error::ProgramError;
use super::exit::Exit;
use super::in_force::InForce;
use super::output::{BAD, DIM, GOOD, PENDING, PLAIN, count, json_line, note, people, plain};
use super::place::Place;
use super::table::{Cell, Table};

const EXAMPLES: &str = r#"Examples:
  vantiq-simulator sources
  vantiq-simulator sources --json | jq -r '.[] | select(.state == "waiting") | .name'

With --json it prints one array with an object for each source: name, config, active, state (waiting, connected,
reconnecting or inactive), since, link, sessions, notifications, lastNotification, lastRefusal, configurationError, and
what faults are in force: pace, paceMs, refusing, refusingTimes (null: until healed), acknowledge, acknowledgeMs,
acknowledgeEvery. Times are milliseconds since 1970."#;

/// Lists sources.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Sources {
    /// Print the states as one JSON array
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

/// What a person is told of it all.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State {
    now: f64,
    /// The youngest of them.
    violations: Vec<String>,
    /// All that there were; older simulators do not say.
    violation_count: Option<u64>,
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    state: String,
    since: Option<f64>,
    sessions: u64,
    notifications: u64,
    last_refusal: Option<Refusal>,
    configuration_error: Option<String>,
    #[serde(flatten)]
    in_force: InForce,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    /// None where there was no answer at all.
    status: Option<u16>,
    message: Option<String>,
}

impl Sources {
    pub(super) fn run(&self) -> Result<Exit, ProgramError> {
        let remote = self.place.remote()?;
        let mut state = remote.state()?;
        if self.json {
            json_line(&state["sources"].take())?;
        } else {
            show(&remote.understand(state)?)?;
        }
        Ok(Exit::Done)
    }
}

fn show(state: &State) -> Result<(), ProgramError> {
    if state.sources.is_empty() {
        note(
            "there are no sources so far; a connector that attaches makes its own, unless --only-listed was given",
        );
    } else {
        table(state).write(&mut people())?;
    }
    if let Some(remark) = violations(state) {
        note(&remark);
    }
    Ok(())
}

fn violations(state: &State) -> Option<String> {
    let last = state.violations.last()?;
    let number = state.violation_count.and_then(|number| usize::try_from(number).ok());
    let number = number.unwrap_or(state.violations.len());
    Some(format!("{} of the protocol, the last: {last}", count(number, "violation")))
}

fn table(state: &State) -> Table {
    let mut table = Table::default();
    let heading = ["NAME", "STATE", "SINCE", "SESSIONS", "NOTIFICATIONS", "REMARKS"];
    table.push(heading.map(|text| (text.to_owned(), DIM)).to_vec());
    for source in &state.sources {
        table.push(source.row(state.now));
    }
    table
}

impl Source {
    fn row(&self, now: f64) -> Vec<Cell> {
        let since = self.since.map_or_else(|| "-".to_owned(), |since| age(now - since));
        vec![
            (plain(&self.name).into_owned(), PLAIN),
            (self.state.clone(), self.style()),
            (since, PLAIN),
            (self.sessions.to_string(), PLAIN),
            (self.notifications.to_string(), PLAIN),
            (plain(&self.remarks().join("; ")).into_owned(), BAD),
        ]
    }

    fn style(&self) -> clap::builder::styling::Style {
        match self.state.as_str() {
            "connected" => GOOD,
            "inactive" => DIM,
            _ => PENDING,
        }
    }

    /// What is not as it usually is.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.in_force.remarks();
        remarks.extend(self.configuration_error.as_ref().map(|error| format!("configuration: {error}")));
        // Of the past, once it is connected.
        let refusal = self.last_refusal.as_ref().filter(|_| self.state != "connected");
        remarks.extend(refusal.map(Refusal::remark));
        remarks
    }
}

impl Refusal {
    fn remark(&self) -> String {
        match (self.status, self.message.as_deref()) {
            (Some(status), message) => format!("refused with {status}: {}", message.unwrap_or("no message")),
            (None, Some(message)) => format!("refused with no answer: {message}"),
            (None, None) => "refused with no answer".to_owned(),
        }
    }
}

/// So many milliseconds, in the unit that fits.
fn age(ms: f64) -> String {
    let seconds = (ms / 1_000.0).max(0.0);
    let (number, unit) = match seconds {
        ..120.0 => (seconds, "s"),
        ..7_200.0 => (seconds / 60.0, "min"),
        ..172_800.0 => (seconds / 3_600.0, "h"),
        _ => (seconds / 86_400.0, "d"),
    };
    format!("{} {unit}", number.floor())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn source(changes: &[(&str, Value)]) -> Source {
        let mut source = json!({
            "name": "a", "state": "waiting", "since": null, "sessions": 0, "notifications": 0, "lastRefusal": null,
            "configurationError": null, "acknowledge": "notifications", "refusing": null, "pace": "normal",
        });
        for (member, value) in changes {
            source[*member] = value.clone();
        }
        serde_json::from_value(source).expect("it is a source")
    }

    #[test]
    fn what_is_as_usual_is_not_remarked() {
        assert!(source(&[]).remarks().is_empty());
        let slow = [("pace", json!("slow")), ("paceMs", json!(20.0))];
        assert_eq!(source(&slow).remarks(), ["slow, a message every 20 ms"]);
    }

    #[test]
    fn a_refusal_is_of_the_past_once_it_is_connected() {
        let refusal = ("lastRefusal", json!({"at": 1, "status": 400, "code": "c", "message": "m"}));
        assert_eq!(source(std::slice::from_ref(&refusal)).remarks(), ["refused with 400: m"]);
        assert!(source(&[refusal, ("state", json!("connected"))]).remarks().is_empty());
    }

    #[test]
    fn a_refusal_may_be_no_answer() {
        let silent = ("lastRefusal", json!({"at": 1, "status": null, "code": null, "message": null}));
        assert_eq!(source(&[silent]).remarks(), ["refused with no answer"]);
    }

    #[test]
    fn all_violations_are_counted() {
        let read = |text| violations(&serde_json::from_str(text).expect("it is a state"));
        let told = read(r#"{"now":1,"violations":["a","b"],"violationCount":300,"sources":[]}"#);
        assert_eq!(told.as_deref(), Some("300 violations of the protocol, the last: b"));
        let told = read(r#"{"now":1,"violations":["a"],"sources":[]}"#);
        assert_eq!(told.as_deref(), Some("1 violation of the protocol, the last: a"));
        assert_eq!(read(r#"{"now":1,"violations":[],"violationCount":0,"sources":[]}"#), None);
    }

    #[test]
    fn an_age_is_in_the_unit_that_fits() {
        for (ms, text) in
            [(-5.0, "0 s"), (119_900.0, "119 s"), (120_000.0, "2 min"), (7.2e6, "2 h"), (1.8e8, "2 d")]
        {
            assert_eq!(age(ms), text);
        }
    }
}
