//! What a write did to a twin, and whom to tell.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{PropertiesView, Twin};
use crate::identity::IdentityId;

/// A write that was accepted: the twin after it and what follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinChange {
    /// The twin after the write.
    pub twin: Twin,
    /// What a twin-change event says of it.
    pub event: TwinEvent,
    /// What the device hears; only writes of desired properties are told.
    pub notice: Option<DesiredNotice>,
}

/// The kind and the changed parts of a twin-change event.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinEvent {
    /// `updateTwin`: the body, only what was written, `null`s included.
    Update(Value),
    /// `replaceTwin`: the body is the whole twin.
    Replace,
}

/// A change of desired properties as the device hears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredNotice {
    /// The version after the change.
    pub version: u64,
    /// JSON text with `$version`; `null` marks what is gone.
    pub patch: Arc<str>,
}

impl TwinChange {
    /// `opType` of the twin-change event.
    pub fn operation(&self) -> &'static str {
        match self.event {
            TwinEvent::Update(_) => "updateTwin",
            TwinEvent::Replace => "replaceTwin",
        }
    }

    /// The body of the twin-change event (Azure docs: "Non-telemetry event schemas").
    pub fn event_body(&self, id: &IdentityId) -> Value {
        match &self.event {
            TwinEvent::Update(body) => body.clone(),
            TwinEvent::Replace => {
                let mut body = self.twin.event_document(id);
                body.insert("tags".into(), Value::Object(self.twin.tags.clone()));
                Value::Object(body)
            }
        }
    }
}

impl Twin {
    /// The twin as lifecycle events hold it: IDs, ETag, version and properties.
    pub fn event_document(&self, id: &IdentityId) -> Map<String, Value> {
        let mut document = Map::new();
        document.insert("deviceId".into(), id.device.as_str().into());
        if let Some(module) = &id.module {
            document.insert("moduleId".into(), module.as_str().into());
        }
        document.insert("etag".into(), self.etag().as_str().into());
        document.insert("version".into(), self.version().into());
        let PropertiesView { desired, reported } = PropertiesView::of(self);
        document.insert("properties".into(), json!({ "desired": desired, "reported": reported }));
        document
    }
}
