//! Merging against RFC 7396, written down once more in its own words, and metadata against the shape of the properties.

use ironhub_model::Timestamp;
use ironhub_model::twin::{Metadata, Twin, TwinPatch};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The pseudo code of RFC 7396 §2, where a patch that is no object cannot occur at the root.
fn merge_patch(target: &Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = target.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            let old = target.remove(&name).unwrap_or(Value::Null);
            target.insert(name, merge_patch(&old, value));
        }
    }
    Value::Object(target)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        "[a-z]{0,5}".prop_map(Value::from),
        prop::collection::vec(0_i64..9, 0..3).prop_map(Value::from),
    ]
}

/// Few names, so that patches meet; `null`s only as members of objects.
fn object(null_weight: u32) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![4 => scalar(), null_weight => Just(Value::Null)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|members| json!(members))
    })
    .prop_filter_map("the root is an object", |value| value.is_object().then_some(value))
}

fn has_shape_of(metadata: &Metadata, value: &Value) -> bool {
    let Some(members) = value.as_object() else {
        return metadata.members.is_empty();
    };
    let has_node = |name: &String, member| {
        metadata
            .members
            .get(name)
            .is_some_and(|node| has_shape_of(node, member))
    };
    metadata.members.len() == members.len() && members.iter().all(|(name, member)| has_node(name, member))
}

/// No node was written before anything below it.
fn is_ordered(metadata: &Metadata) -> bool {
    let is_below = |node: &Metadata| node.updated_at <= metadata.updated_at && is_ordered(node);
    metadata.members.values().all(is_below)
}

fn at(step: usize) -> Timestamp {
    Timestamp::from_secs(i64::try_from(step).unwrap())
}

proptest! {
    #[test]
    fn patches_merge_as_in_the_standard(patches in prop::collection::vec(object(2), 1..8)) {
        let mut twin = Twin::of_device(at(0));
        let mut model = json!({});
        for (step, patch) in patches.into_iter().enumerate() {
            model = merge_patch(&model, patch.clone());
            let both = TwinPatch { tags: Some(patch.clone()), desired: Some(patch.clone()) };
            twin = twin.apply_reported(patch, at(step + 1)).unwrap().twin;
            twin = twin.apply_patch(both, at(step + 1)).unwrap().unwrap().twin;
            for section in [&twin.desired, &twin.reported] {
                prop_assert_eq!(json!(section.properties), model.clone());
                prop_assert!(has_shape_of(&section.metadata, &model));
                prop_assert!(is_ordered(&section.metadata));
                prop_assert_eq!(section.metadata.updated_at, at(step + 1));
            }
            prop_assert_eq!(json!(twin.tags), model.clone());
        }
    }

    /// A device that merges every notice it hears holds the desired properties.
    #[test]
    fn a_device_that_follows_the_notices_has_the_desired_properties(
        writes in prop::collection::vec((any::<bool>(), object(2), object(0)), 1..8),
    ) {
        let mut twin = Twin::of_device(at(0));
        let mut device = json!({"$version": 1});
        for (step, (replaces, patch, whole)) in writes.into_iter().enumerate() {
            let write = |value| TwinPatch { tags: None, desired: Some(value) };
            let change = if replaces {
                twin.replace(write(whole), at(step)).unwrap().unwrap()
            } else {
                twin.apply_patch(write(patch), at(step)).unwrap().unwrap()
            };
            let heard: Value = serde_json::from_str(&change.notice.unwrap().patch).unwrap();
            device = merge_patch(&device, heard);
            twin = change.twin;
            prop_assert_eq!(&device, &twin.desired.device_json());
        }
    }

    #[test]
    fn stored_twins_come_back(patches in prop::collection::vec(object(1), 0..5)) {
        let mut twin = Twin::of_device(Timestamp::from_micros(1_767_225_600_123_456));
        for patch in patches {
            twin = twin.apply_reported(patch.clone(), at(7)).unwrap().twin;
            let write = TwinPatch { tags: Some(patch.clone()), desired: Some(patch) };
            twin = twin.apply_patch(write, at(8)).unwrap().unwrap().twin;
        }
        let stored = serde_json::to_vec(&twin).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Twin>(&stored).unwrap(), twin);
    }
}
