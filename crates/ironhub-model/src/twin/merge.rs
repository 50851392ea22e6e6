//! Merging a patch into a section, and telling a replacement as a patch.

use serde_json::{Map, Value};

use super::metadata::{Metadata, Stamp};

/// Merges `patch`: objects member by member, `null` deletes, anything else replaces. Every node on the way to what is
/// written gets the stamp.
pub(super) fn merge(
    properties: &mut Map<String, Value>,
    metadata: &mut Metadata,
    patch: Map<String, Value>,
    stamp: Stamp,
) {
    metadata.touch(stamp);
    remove_nulls(properties, metadata, &patch);
    for (name, value) in patch {
        match value {
            Value::Null => {}
            Value::Object(members) => {
                let node = metadata.members.entry(name.clone());
                let node = node.or_insert_with(|| Metadata::stamped(stamp));
                let mut below = take_object(properties, &name, node);
                merge(&mut below, node, members, stamp);
                properties.insert(name, Value::Object(below));
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                metadata.members.insert(name.clone(), Metadata::stamped(stamp));
                properties.insert(name, value);
            }
        }
    }
}

/// The same for values without metadata: tags.
pub(super) fn merge_plain(tags: &mut Map<String, Value>, patch: Map<String, Value>) {
    let stamp = Stamp {
        at: crate::Timestamp::NEVER,
        version: None,
    };
    merge(tags, &mut Metadata::at(stamp.at), patch, stamp);
}

/// The replacement `new` as the device hears it: all of the new content and `null` for each member of `old` that is
/// gone, at every level.
pub(super) fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in new {
        let below = match (old.get(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Value::Object(difference(old, new)),
            _ => value.clone(),
        };
        told.insert(name.clone(), below);
    }
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    told.extend(gone.map(|name| (name.clone(), Value::Null)));
    told
}

/// One pass, since taking members out one by one would move the rest each time.
fn remove_nulls(properties: &mut Map<String, Value>, metadata: &mut Metadata, patch: &Map<String, Value>) {
    if patch.values().any(Value::is_null) {
        let deleted = |name: &str| patch.get(name).is_some_and(Value::is_null);
        properties.retain(|name, _| !deleted(name));
        metadata.members.retain(|name, _| !deleted(name));
    }
}

/// The object under `name`, for its place to be filled again; a scalar or an array there gives way.
fn take_object(properties: &mut Map<String, Value>, name: &str, metadata: &mut Metadata) -> Map<String, Value> {
    if let Some(Value::Object(members)) = properties.get_mut(name).map(Value::take) {
        return members;
    }
    metadata.members.clear();
    Map::new()
}
