//! When each property was last written: a tree that mirrors the properties.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::timestamp::Timestamp;

/// One node: an object has its members' below it, an array or a scalar is a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// When this node or anything below it was last written.
    #[serde(rename = "t", with = "micros")]
    pub updated_at: Timestamp,
    /// The version of the section that the write made; only desired properties have it.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub updated_version: Option<u64>,
    /// Nodes of the members.
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Metadata>,
}

/// When, and as which version, a write happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) at: Timestamp,
    pub(super) version: Option<u64>,
}

impl Metadata {
    /// A node without members or version.
    pub fn at(updated_at: Timestamp) -> Self {
        Self {
            updated_at,
            updated_version: None,
            members: BTreeMap::new(),
        }
    }

    pub(super) fn stamped(stamp: Stamp) -> Self {
        Self {
            updated_at: stamp.at,
            updated_version: stamp.version,
            members: BTreeMap::new(),
        }
    }

    /// The tree of an object of which every part is written by this write; `null` members have no node.
    pub(super) fn of_members(members: &Map<String, Value>, stamp: Stamp) -> Self {
        let present = members.iter().filter(|(_, member)| !member.is_null());
        let node = |member: &Value| match member.as_object() {
            Some(members) => Self::of_members(members, stamp),
            None => Self::stamped(stamp),
        };
        Self {
            members: present.map(|(name, member)| (name.clone(), node(member))).collect(),
            ..Self::stamped(stamp)
        }
    }

    /// This node, or something below it, is written.
    pub(super) fn touch(&mut self, stamp: Stamp) {
        self.updated_at = stamp.at;
        self.updated_version = stamp.version;
    }

    /// As the back end sees it: `$lastUpdated`, `$lastUpdatedVersion`, members.
    pub fn to_json(&self) -> Value {
        let mut node = Map::new();
        node.insert("$lastUpdated".into(), self.updated_at.to_string().into());
        if let Some(version) = self.updated_version {
            node.insert("$lastUpdatedVersion".into(), version.into());
        }
        node.extend(
            self.members
                .iter()
                .map(|(name, member)| (name.clone(), member.to_json())),
        );
        Value::Object(node)
    }
}

/// Microseconds take a fraction of the room of a date.
mod micros {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::timestamp::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}
