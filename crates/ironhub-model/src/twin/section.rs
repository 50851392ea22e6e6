//! Desired or reported properties with their version and metadata.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::metadata::Metadata;
use crate::timestamp::Timestamp;

/// One side's properties.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Rises by one with each accepted write of this section, changed values or not: 1 at first.
    pub version: u64,
    /// The properties; no `null` anywhere.
    pub properties: Map<String, Value>,
    /// When each of them was written.
    pub metadata: Metadata,
}

impl Section {
    /// Empty, at version 1.
    pub fn fresh(created: Timestamp) -> Self {
        Self {
            version: 1,
            properties: Map::new(),
            metadata: Metadata::at(created),
        }
    }

    /// As the back end sees it: properties, `$metadata`, `$version`.
    pub fn service_json(&self) -> Value {
        full(self.properties.clone(), Some(&self.metadata), self.version)
    }

    /// As the device sees it: properties, `$version`.
    pub fn device_json(&self) -> Value {
        full(self.properties.clone(), None, self.version)
    }
}

/// Properties with what the hub adds to them.
pub(super) fn full(mut properties: Map<String, Value>, metadata: Option<&Metadata>, version: u64) -> Value {
    if let Some(metadata) = metadata {
        properties.insert("$metadata".into(), metadata.to_json());
    }
    properties.insert("$version".into(), version.into());
    Value::Object(properties)
}
