//! [`InForce`]: what faults of a source last at present, as people read it.

use serde::Deserialize;

/// As the simulator tells it; older ones tell no numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InForce {
    pace: String,
    pace_ms: Option<f64>,
    refusing: Option<String>,
    refusing_times: Option<u64>,
    acknowledge: String,
    acknowledge_ms: Option<f64>,
    acknowledge_every: Option<u64>,
}

impl InForce {
    /// What is not as it usually is.
    pub(super) fn remarks(&self) -> Vec<String> {
        [self.pace(), self.refusing(), self.acknowledge()].into_iter().flatten().collect()
    }

    fn pace(&self) -> Option<String> {
        let number = self.pace_ms.map(|ms| format!(", a message every {ms} ms")).unwrap_or_default();
        (self.pace != "normal").then(|| format!("{}{number}", self.pace))
    }

    fn refusing(&self) -> Option<String> {
        let number = match self.refusing_times {
            Some(1) => ", once more".to_owned(),
            Some(times) => format!(", {times} times more"),
            None => String::new(),
        };
        self.refusing.as_ref().map(|kind| format!("refuses with {kind}{number}"))
    }

    fn acknowledge(&self) -> Option<String> {
        let number = match (self.acknowledge.as_str(), self.acknowledge_every, self.acknowledge_ms) {
            ("merged", Some(every), _) => format!(", {every} together"),
            (_, Some(every), _) => format!(", 1 of {every}"),
            (_, None, Some(ms)) => format!(" by {ms} ms"),
            (_, None, None) => String::new(),
        };
        (self.acknowledge != "notifications").then(|| format!("acknowledges: {}{number}", self.acknowledge))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn remarks(changes: &Value) -> Vec<String> {
        let mut told = json!({"pace": "normal", "refusing": null, "acknowledge": "notifications"});
        for (member, value) in changes.as_object().expect("it is an object") {
            told[member] = value.clone();
        }
        serde_json::from_value::<InForce>(told).expect("it is what is in force").remarks()
    }

    #[test]
    fn what_is_as_usual_is_not_remarked() {
        assert_eq!(remarks(&json!({})), [""; 0]);
        let odd = json!({"pace": "slow", "refusing": "no-stream", "acknowledge": "nothing"});
        assert_eq!(remarks(&odd), ["slow", "refuses with no-stream", "acknowledges: nothing"]);
    }

    #[test]
    fn numbers_are_remarked() {
        for (told, remark) in [
            (json!({"pace": "slow", "paceMs": 200.0}), "slow, a message every 200 ms"),
            (json!({"refusing": "no-body", "refusingTimes": 3}), "refuses with no-body, 3 times more"),
            (json!({"refusing": "no-body", "refusingTimes": 1}), "refuses with no-body, once more"),
            (json!({"acknowledge": "delayed", "acknowledgeMs": 20.0}), "acknowledges: delayed by 20 ms"),
            (json!({"acknowledge": "merged", "acknowledgeEvery": 4}), "acknowledges: merged, 4 together"),
            (json!({"acknowledge": "omit", "acknowledgeEvery": 10}), "acknowledges: omit, 1 of 10"),
        ] {
            assert_eq!(remarks(&told), [remark]);
        }
    }
}
