//! [`Filter`]: which records a request wants, and how much of them.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::error::RestError;
use super::{Json, TOTAL_COUNT};
use crate::query::text_of;

/// `where`, `props`, `sort`, `limit` and `count` of a request.
#[derive(Debug, Default)]
pub(super) struct Filter {
    conditions: Map<String, Value>,
    properties: Vec<String>,
    /// The members to sort by, and whether downwards.
    sort: Vec<(String, bool)>,
    limit: Option<usize>,
    counts: bool,
}

/// The records that a request wants.
#[derive(Debug)]
pub(super) struct Selection {
    records: Vec<Value>,
    /// How many there are without the limit, where that is asked for.
    count: Option<usize>,
}

impl IntoResponse for Selection {
    fn into_response(self) -> Response {
        let count = self.count.map(|count| [(TOTAL_COUNT, count.to_string())]);
        (count, Json(Value::Array(self.records))).into_response()
    }
}

impl Filter {
    /// Reads the query of a URI.
    pub(super) fn read(uri: &Uri) -> Result<Self, RestError> {
        let mut filter = Self::default();
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            let json = || {
                let wrong = |error| RestError::invalid(format!("`{key}` is not JSON: {error}"));
                serde_json::from_str::<Value>(&value).map_err(wrong)
            };
            match &*key {
                "where" => filter.conditions = conditions(json()?)?,
                "props" => filter.properties = properties(&json()?)?,
                "sort" => filter.sort = sort(&json()?)?,
                "limit" => {
                    let limit = value.parse().map_err(|_| RestError::invalid("`limit` must be a number."))?;
                    filter.limit = Some(limit);
                }
                "count" => filter.counts = value == "true",
                _ => {} // such as `upsert`, or what a newer client says
            }
        }
        Ok(filter)
    }

    /// Whether it wants all records.
    pub(super) fn takes_all(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether it wants this record.
    pub(super) fn takes(&self, record: &Value) -> bool {
        self.conditions.iter().all(|(member, wanted)| &record[member] == wanted)
    }

    /// What is asked for of all these records.
    pub(super) fn select(&self, records: impl Iterator<Item = Value>) -> Selection {
        let mut taken: Vec<_> = records.filter(|record| self.takes(record)).collect();
        taken.sort_by(|one, other| {
            let by = self.sort.iter().map(|(member, downwards)| {
                let order = text_of(&one[member]).cmp(&text_of(&other[member]));
                if *downwards { order.reverse() } else { order }
            });
            by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        let count = self.counts.then_some(taken.len());
        taken.truncate(self.limit.unwrap_or(usize::MAX));
        if !self.properties.is_empty() {
            for members in taken.iter_mut().filter_map(Value::as_object_mut) {
                members.retain(|member, _| self.properties.contains(member));
            }
        }
        Selection { records: taken, count }
    }
}

fn conditions(value: Value) -> Result<Map<String, Value>, RestError> {
    let Value::Object(conditions) = value else {
        return Err(RestError::invalid("`where` must be an object."));
    };
    let is_simple = |(member, wanted): (&String, &Value)| !member.starts_with('$') && !wanted.is_object();
    if !conditions.iter().all(is_simple) {
        return Err(RestError::invalid(
            r#"The simulator knows equality only, such as {"name": "mySource"}."#,
        ));
    }
    Ok(conditions)
}

fn properties(value: &Value) -> Result<Vec<String>, RestError> {
    let names = value
        .as_array()
        .and_then(|names| names.iter().map(|name| name.as_str().map(str::to_owned)).collect());
    names.ok_or_else(|| RestError::invalid("`props` must be a list of names."))
}

fn sort(value: &Value) -> Result<Vec<(String, bool)>, RestError> {
    let members =
        value.as_object().ok_or_else(|| RestError::invalid(r#"`sort` must be such as {"name": 1}."#))?;
    Ok(members.iter().map(|(member, order)| (member.clone(), order.as_i64() == Some(-1))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn select(query: &str) -> Selection {
        let filter = Filter::read(&format!("/sources?{query}").parse().expect("a URI")).expect("a filter");
        filter.select(
            [json!({"name": "b", "n": 1}), json!({"name": "a", "n": 1}), json!({"name": "c", "n": 2})]
                .into_iter(),
        )
    }

    #[test]
    fn records_are_chosen_sorted_and_cut() {
        assert_eq!(select("where=%7B%22n%22%3A1%7D&count=true&new=1").count, Some(2));
        let chosen = select("sort=%7B%22name%22%3A-1%7D&limit=2&props=%5B%22name%22%5D&count=true");
        assert_eq!(chosen.records, [json!({"name": "c"}), json!({"name": "b"})]);
        assert_eq!(chosen.count, Some(3));
        assert_eq!(select("limit=2").count, None, "it was not asked for");
    }

    #[test]
    fn what_is_not_understood_is_a_mistake() {
        for query in [
            "where=%7B",
            "where=1",
            "where=%7B%22a%22%3A%7B%22%24gt%22%3A1%7D%7D",
            "limit=x",
            "props=1",
            "sort=1",
        ] {
            assert!(Filter::read(&format!("/sources?{query}").parse().expect("a URI")).is_err(), "{query}");
        }
    }
}
