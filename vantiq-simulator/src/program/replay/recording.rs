//! [`Recording`]: what applications did and what came of it, out of the frames that `tap` saved.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::answer::rows;

/// Status of a message with which an answer is not over yet.
const PART: u16 = 100;

/// What is to be done, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Recording {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Publish(Request),
    Query(Request, Recorded),
    /// Wait for the answer to the query with which this step of the recording began: what comes next came after it.
    Await(usize),
    /// What is not in the recording as a whole, or cannot be sent.
    Unsent(Unsent),
}

/// What an application sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// Where it is in the file, from 1.
    pub(super) line: usize,
    /// Milliseconds since 1970.
    pub(super) at: f64,
    pub(super) source: String,
    pub(super) object: Value,
}

/// What an application sent and cannot be sent again.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unsent {
    /// Where it is in the file, from 1.
    pub(super) line: usize,
    pub(super) op: &'static str,
    pub(super) source: String,
    pub(super) why: String,
}

/// What was answered to a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recorded {
    Answer {
        status: u16,
        rows: Vec<Value>,
    },
    /// The recording ends before, or has a part of it only, or one that cannot be compared.
    Incomplete,
}

/// There is nothing to replay.
#[derive(Debug, thiserror::Error)]
#[error("{file}{problem}")]
pub(in crate::program) struct RecordingError {
    file: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    /// A line makes no sense.
    #[error(", line {line}: {why}")]
    Line { line: usize, why: String },
    #[error(" has no frames")]
    Empty,
    /// Frames, but of connectors alone.
    #[error(" has neither publishes nor queries, and there is nothing else to replay")]
    Idle,
}

/// A line of `tap`, as far as it matters here. The message is read where it is needed: that of others may have what no
/// [`Value`] can hold.
#[derive(Debug, Deserialize)]
struct Frame<'a> {
    at: f64,
    direction: Direction,
    source: Option<String>,
    op: Option<String>,
    status: Option<u16>,
    address: Option<String>,
    /// None where it was too long, or is no JSON.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    resource_id: Option<String>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Received,
    Sent,
}

/// A line that is no frame.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Aside {
    /// Where frames were left out.
    Skipped {
        #[serde(rename = "skipped")]
        _skipped: u64,
    },
    /// What happened to a link or was done to a source: nothing that an application did.
    Incident {
        #[serde(rename = "incident")]
        _incident: u64,
    },
}

/// A query whose answer is not over yet.
struct Open {
    /// Its step.
    step: usize,
    rows: Vec<Value>,
    is_complete: bool,
}

#[derive(Default)]
struct Reader {
    recording: Recording,
    /// Whether there was any frame, be it of no interest.
    has_frames: bool,
    /// By the address for the answers.
    open: HashMap<String, Open>,
}

impl Recording {
    /// Reads lines of JSON.
    ///
    /// # Errors
    ///
    /// The first line that makes no sense. Those that are no business of applications may have anything in them. And
    /// that nothing was done that could be done again: whoever replays that believes to have tested something.
    pub(super) fn read(text: &str) -> Result<Self, RecordingError> {
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            reader.take(number, line).map_err(|why| Problem::Line { line: number, why })?;
        }
        match (reader.has_frames, reader.recording.steps.is_empty()) {
            (false, _) => Err(Problem::Empty.into()),
            (true, true) => Err(Problem::Idle.into()),
            (true, false) => Ok(reader.recording),
        }
    }

    /// Sends all of it to one source.
    pub(super) fn redirect(&mut self, name: &str) {
        for step in &mut self.steps {
            match step {
                Step::Publish(Request { source, .. })
                | Step::Query(Request { source, .. }, _)
                | Step::Unsent(Unsent { source, .. }) => name.clone_into(source),
                Step::Await(_) => {}
            }
        }
    }

    /// When the first of it was sent.
    pub(super) fn begin(&self) -> f64 {
        let mut times = self.steps.iter().filter_map(|step| match step {
            Step::Publish(request) | Step::Query(request, _) => Some(request.at),
            Step::Await(_) | Step::Unsent(_) => None,
        });
        times.next().unwrap_or_default()
    }
}

impl Reader {
    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        match serde_json::from_str(line) {
            Ok(Aside::Skipped { .. }) => self.skip(),
            Ok(Aside::Incident { .. }) => {}
            Err(_) => self.take_frame(number, line)?,
        }
        Ok(())
    }

    fn take_frame(&mut self, number: usize, line: &str) -> Result<(), String> {
        let frame: Frame<'_> =
            serde_json::from_str(line).map_err(|error| format!("no frame of `tap`: {error}"))?;
        self.has_frames = true;
        match (frame.direction, frame.op.as_deref()) {
            (Direction::Sent, Some("publish")) => self.publish(number, frame),
            (Direction::Sent, Some("query")) => self.query(number, frame),
            (Direction::Received, None) => self.answer(frame),
            _ => {}
        }
        Ok(())
    }

    fn publish(&mut self, line: usize, frame: Frame<'_>) {
        self.recording.steps.push(match request(line, "publish", frame) {
            Ok(request) => Step::Publish(request),
            Err(unsent) => Step::Unsent(unsent),
        });
    }

    fn query(&mut self, line: usize, mut frame: Frame<'_>) {
        let address = frame.address.take();
        let step = match request(line, "query", frame) {
            Ok(request) => {
                let open = Open { step: self.recording.steps.len(), rows: Vec::new(), is_complete: true };
                self.open.extend(address.map(|address| (address, open)));
                Step::Query(request, Recorded::Incomplete)
            }
            // Its answers are of no interest.
            Err(unsent) => Step::Unsent(unsent),
        };
        self.recording.steps.push(step);
    }

    /// Anything that is no answer to one of the queries is of no interest.
    fn answer(&mut self, frame: Frame<'_>) {
        let (Some(address), Some(status)) = (frame.address, frame.status) else { return };
        let Some(open) = self.open.get_mut(&address) else { return };
        match frame.message.map(|message| serde_json::from_str::<Message>(message.get())) {
            Some(Ok(message)) => open.rows.extend_from_slice(rows(status, &message.body)),
            // It was too long to be recorded, or cannot be compared.
            Some(Err(_)) | None => open.is_complete = false,
        }
        if status != PART {
            self.close(&address, status);
        }
    }

    fn close(&mut self, address: &str, status: u16) {
        let Some(Open { step, rows, is_complete }) = self.open.remove(address) else { return };
        if let Some(Step::Query(_, recorded)) = self.recording.steps.get_mut(step)
            && is_complete
        {
            *recorded = Recorded::Answer { status, rows };
        }
        self.recording.steps.push(Step::Await(step));
    }

    /// Parts of any answer may be among what was left out.
    fn skip(&mut self) {
        for open in self.open.values_mut() {
            open.is_complete = false;
        }
    }
}

fn request(line: usize, op: &'static str, frame: Frame<'_>) -> Result<Request, Unsent> {
    let Frame { at, source, message, .. } = frame;
    let unsent = |source: Option<String>, why: &str| {
        let (source, why) = (source.unwrap_or_default(), why.to_owned());
        Err(Unsent { line, op, source, why })
    };
    let Some(message) = message else {
        return unsent(source, "it is too long to have been recorded as a whole");
    };
    let message: Message = match serde_json::from_str(message.get()) {
        Ok(message) => message,
        Err(error) => return unsent(source, &error.to_string()),
    };
    match source.or(message.resource_id) {
        Some(source) => Ok(Request { line, at, source, object: message.object }),
        None => unsent(None, "the recording does not say for which source"),
    }
}

impl RecordingError {
    pub(super) fn in_file(self, file: &str) -> Self {
        Self { file: file.to_owned(), ..self }
    }

    /// What to write instead.
    pub(in crate::program) fn hint(&self) -> &'static str {
        match self.problem {
            Problem::Line { .. } => "",
            Problem::Empty => "write some with `vantiq-simulator tap --no-follow --save FILE`",
            Problem::Idle => "save them with `vantiq-simulator tap` where something is published or queried",
        }
    }
}

impl From<Problem> for RecordingError {
    fn from(problem: Problem) -> Self {
        Self { file: String::new(), problem }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(at: u64, op: &str, address: Option<&str>, object: &Value) -> Value {
        json!({"number": at, "at": at, "link": 1, "source": "a", "direction": "sent", "op": op, "status": null,
            "address": address, "message": {"op": op, "resourceId": "a", "object": object}})
    }

    fn answered(at: u64, address: &str, status: u16, body: &Value) -> Value {
        json!({"number": at, "at": at, "link": 1, "source": "a", "direction": "received", "op": null, "status": status,
            "address": address, "message": {"status": status, "body": body}})
    }

    fn read(lines: &[Value]) -> Result<Recording, String> {
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        Recording::read(&lines.join("\n")).map_err(|error| error.in_file("r.jsonl").to_string())
    }

    fn request(line: usize, at: f64, object: Value) -> Request {
        Request { line, at, source: "a".to_owned(), object }
    }

    #[test]
    fn answers_are_paired_by_their_address() {
        let recording = read(&[
            sent(1, "query", Some("x"), &json!("q")),
            sent(2, "query", Some("y"), &json!("r")),
            answered(3, "y", 100, &json!([1])),
            answered(4, "x", 200, &json!({"b": 1})),
            sent(5, "publish", None, &json!("p")),
            answered(6, "y", 200, &json!([2, 3])),
        ]);
        let answer = |rows| Recorded::Answer { status: 200, rows };
        let steps = vec![
            Step::Query(request(1, 1.0, json!("q")), answer(vec![json!({"b": 1})])),
            Step::Query(request(2, 2.0, json!("r")), answer(vec![json!(1), json!(2), json!(3)])),
            Step::Await(0),
            Step::Publish(request(5, 5.0, json!("p"))),
            Step::Await(1),
        ];
        assert_eq!(recording, Ok(Recording { steps }));
    }

    #[test]
    fn an_answer_with_gaps_is_incomplete() {
        let cut = json!({"at": 2, "direction": "received", "status": 200, "address": "x", "text": "{", "cut": true});
        for gap in [vec![cut], vec![json!({"skipped": 1}), answered(3, "x", 200, &json!(1))], vec![]] {
            let lines = [vec![sent(1, "query", Some("x"), &json!("q"))], gap].concat();
            let recording = read(&lines).expect("it makes sense");
            assert_eq!(recording.steps[0], Step::Query(request(1, 1.0, json!("q")), Recorded::Incomplete));
        }
    }

    #[test]
    fn what_is_no_business_of_applications_is_left_out() {
        let mut notification = sent(1, "notification", None, &json!(1));
        notification["direction"] = json!("received");
        let text = json!({"number": 1, "at": 1, "direction": "received", "text": "Vantiq-Ping"});
        let acknowledgement =
            json!({"at": 1, "direction": "sent", "status": 200, "message": {"status": 200}});
        let mut lines = vec![notification, text, acknowledgement];
        let nothing = "r.jsonl has neither publishes nor queries, and there is nothing else to replay";
        assert_eq!(read(&lines), Err(nothing.to_owned()));
        lines.push(sent(2, "publish", None, &json!("p")));
        let steps = vec![Step::Publish(request(4, 2.0, json!("p")))];
        assert_eq!(read(&lines), Ok(Recording { steps }));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (line, words) in [
            (json!("x"), "r.jsonl, line 2: no frame of `tap`: invalid type"),
            (json!({"at": 1}), "missing field `direction`"),
        ] {
            let problem = read(&[sent(1, "publish", None, &json!(1)), line]).expect_err("it makes no sense");
            assert!(problem.contains(words) && problem.contains("line 2"), "{problem}");
        }
    }

    #[test]
    fn a_file_without_frames_is_no_recording() {
        for lines in [&[][..], &[json!({"skipped": 3})]] {
            assert_eq!(read(lines), Err("r.jsonl has no frames".to_owned()));
        }
    }

    #[test]
    fn incidents_are_passed_over() {
        let ended =
            json!({"incident": 1, "after": 1, "at": 2, "link": 1, "sources": ["a"], "event": "linkEnded"});
        let lines = [sent(1, "query", Some("x"), &json!("q")), ended, answered(2, "x", 200, &json!(1))];
        let steps = read(&lines).expect("it makes sense").steps;
        assert!(matches!(&steps[0], Step::Query(_, Recorded::Answer { status: 200, .. })), "{steps:?}");
    }

    /// A line of `tap` whose message is too long.
    fn cut(op: Option<&str>, direction: &str, address: Option<&str>) -> Value {
        let status = op.is_none().then_some(200);
        json!({"number": 1, "at": 1, "link": 1, "source": "a", "direction": direction, "op": op, "status": status,
            "address": address, "text": "{\"op", "cut": true})
    }

    #[test]
    fn what_is_cut_does_not_spoil_the_rest() {
        let recording = read(&[
            cut(Some("notification"), "received", None),
            cut(None, "sent", None),
            cut(Some("publish"), "sent", None),
            cut(Some("query"), "sent", Some("x")),
            answered(5, "x", 200, &json!(1)),
            sent(6, "publish", None, &json!("p")),
        ]);
        let unsent = |line, op| {
            let why = "it is too long to have been recorded as a whole".to_owned();
            Step::Unsent(Unsent { line, op, source: "a".to_owned(), why })
        };
        let steps =
            vec![unsent(3, "publish"), unsent(4, "query"), Step::Publish(request(6, 6.0, json!("p")))];
        assert_eq!(recording, Ok(Recording { steps }));
    }

    #[test]
    fn what_no_value_can_hold_does_not_spoil_the_rest() {
        for odd in [r#""\ud800""#.to_owned(), "1e400".to_owned(), "[".repeat(140) + &"]".repeat(140)] {
            let mut notification = sent(1, "notification", None, &json!("ODD"));
            notification["direction"] = json!("received");
            let lines = [
                notification,
                sent(2, "publish", None, &json!("ODD")),
                sent(3, "query", Some("x"), &json!("q")),
                answered(4, "x", 200, &json!("ODD")),
                sent(5, "publish", None, &json!("p")),
            ];
            let text = lines.map(|line| line.to_string().replace(r#""ODD""#, &odd)).join("\n");
            let steps = Recording::read(&text).expect("it makes sense").steps;
            assert!(matches!(&steps[0], Step::Unsent(Unsent { line: 2, op: "publish", .. })), "{steps:?}");
            assert_eq!(steps[1], Step::Query(request(3, 3.0, json!("q")), Recorded::Incomplete));
            assert_eq!(steps[2..], [Step::Await(1), Step::Publish(request(5, 5.0, json!("p")))]);
        }
    }

    #[test]
    fn all_of_it_can_go_to_one_source() {
        let mut recording = read(&[sent(1, "publish", None, &json!(1))]).expect("it makes sense");
        recording.redirect("b");
        assert!(matches!(&recording.steps[0], Step::Publish(request) if request.source == "b"));
    }
}
