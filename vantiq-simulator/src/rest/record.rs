//! A source as a JSON record, out of its seat and back into it.

use std::fmt::Display;

use json_patch::Patch;
use serde_json::{Map, Value, json};

use super::error::RestError;
use crate::envelope::NAMESPACE;
use crate::seat::{Change, Seat};

/// The record of a source.
pub(super) fn of(name: &str, seat: &Seat) -> Value {
    json!({
        "_id": seat.profile.id,
        "name": name,
        "type": seat.profile.implementation,
        "active": seat.profile.is_active,
        "config": seat.configuration(),
        "ars_namespace": NAMESPACE,
        "ars_version": seat.profile.version,
    })
}

/// Reads a record. Members that mean nothing here are left aside, those of the wrong type are mistakes.
pub(super) fn read(record: &Map<String, Value>) -> Result<Change, RestError> {
    let wrong = |member: &str, expected: &str| RestError::invalid(format!("`{member}` must be {expected}."));
    let present = |member: &str| record.get(member).filter(|value| !value.is_null());
    Ok(Change {
        implementation: present("type")
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(|| wrong("type", "a text")))
            .transpose()?,
        configuration: present("config").cloned(),
        is_active: present("active")
            .map(|value| value.as_bool().ok_or_else(|| wrong("active", "true or false")))
            .transpose()?,
    })
}

/// The name in a record.
pub(super) fn name(record: &Map<String, Value>) -> Result<&str, RestError> {
    let name = record.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    name.ok_or_else(|| RestError::invalid("The record has no `name`."))
}

/// The members of a record.
pub(super) fn members(record: Value) -> Result<Map<String, Value>, RestError> {
    match record {
        Value::Object(members) => Ok(members),
        _ => Err(RestError::invalid("The record must be an object.")),
    }
}

/// Does what a JSON Patch (RFC 6902) says, all of it or nothing.
pub(super) fn patch(record: &mut Value, operations: Value) -> Result<(), RestError> {
    let wrong = |error: &dyn Display| RestError::invalid(format!("The patch cannot be applied: {error}."));
    let operations: Patch = serde_json::from_value(operations).map_err(|error| wrong(&error))?;
    json_patch::patch(record, &operations).map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names() {
        let mut record = json!({"active": true, "config": {"a/b": 1, "c": 2}});
        let operations = json!([
            {"op": "test", "path": "/active", "value": true},
            {"op": "replace", "path": "/active", "value": false},
            {"op": "add", "path": "/config/d", "value": [3]},
            {"op": "remove", "path": "/config/a~1b"},
        ]);
        patch(&mut record, operations).expect("all places are there");
        assert_eq!(record, json!({"active": false, "config": {"c": 2, "d": [3]}}));
    }

    #[test]
    fn a_patch_without_a_place_is_a_mistake() {
        for operation in [
            json!({"op": "replace", "path": "/x", "value": 1}),
            json!({"op": "add", "path": "/x/y", "value": 1}),
            json!({"op": "dance", "path": "/active"}),
            json!({"op": "test", "path": "/active", "value": 1}),
            json!({"op": "replace"}),
        ] {
            assert!(patch(&mut json!({"active": true}), json!([operation])).is_err(), "{operation}");
        }
        assert!(patch(&mut json!({}), json!({})).is_err());
    }

    #[test]
    fn members_of_the_wrong_type_are_mistakes() {
        let object = |record| members(record).expect("it is an object");
        assert!(read(&object(json!({"active": "yes"}))).is_err());
        assert!(read(&object(json!({"type": 7}))).is_err());
        assert_eq!(read(&object(json!({"other": 7, "config": null}))).expect("fine"), Change::default());
    }
}
