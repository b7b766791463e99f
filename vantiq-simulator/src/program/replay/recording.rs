//! [`Recording`]: what applications did and what came of it, out of the frames that `tap` saved.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

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

/// What was answered to a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recorded {
    Answer {
        status: u16,
        rows: Vec<Value>,
    },
    /// The recording ends before, or has a part of it only.
    Incomplete,
}

/// A line that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{file}, line {line}: {problem}")]
pub(in crate::program) struct RecordingError {
    file: String,
    line: usize,
    problem: String,
}

/// A line of `tap`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Frame {
    at: f64,
    direction: Direction,
    source: Option<String>,
    op: Option<String>,
    status: Option<u16>,
    address: Option<String>,
    message: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Received,
    Sent,
}

/// Where frames were left out.
#[derive(Debug, Deserialize)]
struct Skipped {
    #[serde(rename = "skipped")]
    _skipped: u64,
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
    /// By the address for the answers.
    open: HashMap<String, Open>,
}

impl Recording {
    /// Reads lines of JSON.
    ///
    /// # Errors
    ///
    /// The first line that makes no sense. Those that are no business of applications may have anything in them.
    pub(super) fn read(text: &str) -> Result<Self, RecordingError> {
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            reader.take(number, line).map_err(|problem| RecordingError::new(number, problem))?;
        }
        Ok(reader.recording)
    }

    /// Sends all of it to one source.
    pub(super) fn redirect(&mut self, name: &str) {
        for step in &mut self.steps {
            if let Step::Publish(request) | Step::Query(request, _) = step {
                name.clone_into(&mut request.source);
            }
        }
    }

    /// When the first of it was sent.
    pub(super) fn begin(&self) -> f64 {
        let mut times = self.steps.iter().filter_map(|step| match step {
            Step::Publish(request) | Step::Query(request, _) => Some(request.at),
            Step::Await(_) => None,
        });
        times.next().unwrap_or_default()
    }
}

impl Reader {
    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if serde_json::from_str::<Skipped>(line).is_ok() {
            self.skip();
            return Ok(());
        }
        let frame: Frame =
            serde_json::from_str(line).map_err(|error| format!("no frame of `tap`: {error}"))?;
        match (frame.direction, frame.op.as_deref()) {
            (Direction::Sent, Some("publish")) => self.publish(number, frame),
            (Direction::Sent, Some("query")) => self.query(number, frame),
            (Direction::Received, None) => {
                self.answer(frame);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn publish(&mut self, line: usize, frame: Frame) -> Result<(), String> {
        self.recording.steps.push(Step::Publish(request(line, frame)?));
        Ok(())
    }

    fn query(&mut self, line: usize, mut frame: Frame) -> Result<(), String> {
        let open = Open { step: self.recording.steps.len(), rows: Vec::new(), is_complete: true };
        self.open.extend(frame.address.take().map(|address| (address, open)));
        self.recording.steps.push(Step::Query(request(line, frame)?, Recorded::Incomplete));
        Ok(())
    }

    /// Anything that is no answer to one of the queries is of no interest.
    fn answer(&mut self, frame: Frame) {
        let (Some(address), Some(status)) = (frame.address, frame.status) else { return };
        let Some(open) = self.open.get_mut(&address) else { return };
        match &frame.message {
            Some(message) => open.rows.extend_from_slice(rows(status, &message["body"])),
            // It was too long to be recorded.
            None => open.is_complete = false,
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

fn request(line: usize, frame: Frame) -> Result<Request, String> {
    let mut message = frame.message.ok_or("the message is too long to have been recorded as a whole")?;
    let named = message["resourceId"].as_str().map(str::to_owned);
    let source = frame.source.or(named).ok_or("it does not say for which source")?;
    Ok(Request { line, at: frame.at, source, object: message["object"].take() })
}

impl RecordingError {
    fn new(line: usize, problem: String) -> Self {
        Self { file: String::new(), line, problem }
    }

    pub(super) fn in_file(self, file: &str) -> Self {
        Self { file: file.to_owned(), ..self }
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
        assert_eq!(read(&[notification, text, acknowledgement]), Ok(Recording::default()));
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        let mut long = sent(1, "publish", None, &json!(1));
        long.as_object_mut().expect("it is one").remove("message");
        for (line, words) in [
            (json!("x"), "r.jsonl, line 2: no frame of `tap`: invalid type"),
            (json!({"at": 1}), "missing field `direction`"),
            (long, "too long"),
        ] {
            let problem = read(&[sent(1, "publish", None, &json!(1)), line]).expect_err("it makes no sense");
            assert!(problem.contains(words) && problem.contains("line 2"), "{problem}");
        }
    }

    #[test]
    fn all_of_it_can_go_to_one_source() {
        let mut recording = read(&[sent(1, "publish", None, &json!(1))]).expect("it makes sense");
        recording.redirect("b");
        assert!(matches!(&recording.steps[0], Step::Publish(request) if request.source == "b"));
    }
}
