//! Fields that a later version has put into a recording's row, its HLS or whatever else a recording has. Serde keeps those of the
//! state and of the recording itself.

use serde_json::{Map, Value};

/// A field that this version does not know.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unknown {
    /// The fields in which it is, from the recording's on.
    path: Vec<String>,
    key: String,
    value: Value,
}

/// The fields that a recording had when it was read, and would not have when it is written.
pub(super) fn unknown(read: &Value, written: &Value) -> Vec<Unknown> {
    let mut found = Vec::new();
    for (key, value) in read.as_object().into_iter().flatten() {
        if let Some(written) = written.get(key) {
            look(value, written, std::slice::from_ref(key), &mut found);
        }
    }
    found
}

fn look(read: &Value, written: &Value, path: &[String], found: &mut Vec<Unknown>) {
    let (Some(read), Some(written)) = (read.as_object(), written.as_object()) else { return };
    for (key, value) in read {
        match written.get(key) {
            Some(written) => look(value, written, &[path, std::slice::from_ref(key)].concat(), found),
            None => found.push(Unknown { path: path.to_vec(), key: key.clone(), value: value.clone() }),
        }
    }
}

/// Puts such fields back, where that in which they were is there still.
pub(super) fn restore(recording: &mut Value, unknown: &[Unknown]) {
    for Unknown { path, key, value } in unknown {
        let place = path.iter().try_fold(&mut *recording, |place, key| place.get_mut(key));
        if let Some(fields) = place.and_then(Value::as_object_mut) {
            put(fields, key, value);
        }
    }
}

fn put(fields: &mut Map<String, Value>, key: &str, value: &Value) {
    if !fields.contains_key(key) {
        fields.insert(key.to_owned(), value.clone());
    }
}
