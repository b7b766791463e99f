//! A source as a JSON record, out of its seat and back into it.

use serde_json::{Map, Value, json};

use super::error::RestError;
use crate::envelope::NAMESPACE;
use crate::seat::Seat;

/// What a record says that can be changed; what is absent stays.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    pub(super) implementation: Option<String>,
    pub(super) configuration: Option<Value>,
    pub(super) is_active: Option<bool>,
}

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

/// Does what a JSON Patch (RFC 6902) says: its operations `add`, `replace`, `remove` and `test`.
pub(super) fn patch(record: &mut Value, operations: &Value) -> Result<(), RestError> {
    let operations = operations.as_array().ok_or_else(|| RestError::invalid("The patch must be a list."))?;
    operations.iter().try_for_each(|operation| apply(record, operation))
}

fn apply(record: &mut Value, operation: &Value) -> Result<(), RestError> {
    let path = operation["path"].as_str().unwrap_or_default();
    let no_place = || RestError::invalid(format!("There is no place `{path}` in the record."));
    let (parent, member) = path.rsplit_once('/').ok_or_else(no_place)?;
    let member = member.replace("~1", "/").replace("~0", "~");
    let value = operation["value"].clone();
    match operation["op"].as_str().unwrap_or_default() {
        "test" if record.pointer(path) == Some(&value) => Ok(()),
        "test" => Err(RestError::invalid(format!("`{path}` has another value."))),
        op => match (op, record.pointer_mut(parent)) {
            ("add", Some(Value::Object(members))) => {
                members.insert(member, value);
                Ok(())
            }
            ("replace", Some(Value::Object(members))) => {
                members.get_mut(&member).map(|place| *place = value).ok_or_else(no_place)
            }
            ("remove", Some(Value::Object(members))) => {
                members.remove(&member).map(drop).ok_or_else(no_place)
            }
            ("add" | "replace" | "remove", _) => Err(no_place()),
            _ => Err(RestError::invalid(format!("`{op}` is none of add, replace, remove, test."))),
        },
    }
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
        patch(&mut record, &operations).expect("all places are there");
        assert_eq!(record, json!({"active": false, "config": {"c": 2, "d": [3]}}));
    }

    #[test]
    fn a_patch_without_a_place_is_a_mistake() {
        for operation in [
            json!({"op": "replace", "path": "/x", "value": 1}),
            json!({"op": "add", "path": "/x/y", "value": 1}),
            json!({"op": "move", "path": "/active"}),
            json!({"op": "test", "path": "/active", "value": 1}),
            json!({"op": "replace"}),
        ] {
            assert!(patch(&mut json!({"active": true}), &json!([operation])).is_err(), "{operation}");
        }
        assert!(patch(&mut json!({}), &json!({})).is_err());
    }

    #[test]
    fn members_of_the_wrong_type_are_mistakes() {
        let object = |record| members(record).expect("it is an object");
        assert!(read(&object(json!({"active": "yes"}))).is_err());
        assert!(read(&object(json!({"type": 7}))).is_err());
        assert_eq!(read(&object(json!({"other": 7, "config": null}))).expect("fine"), Change::default());
    }
}
