//! Device and module twins: the state document that the back end and the device share.
//!
//! Rules: Azure documentation "Understand and use device twins in IoT Hub" and "Understand and use module twins in IoT
//! Hub". Everything here is pure: what a write does to a twin is decided without a store or a clock.

mod change;
mod decide;
mod merge;
mod metadata;
mod section;
mod validate;
mod view;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use change::{DesiredNotice, TwinChange, TwinEvent};
pub use metadata::Metadata;
pub use section::Section;
pub use validate::InvalidTwin;
pub use view::{PropertiesView, TwinView, X509ThumbprintView};

use crate::identity::Etag;
use crate::timestamp::Timestamp;

/// A twin as it is stored. A twin lives from the creation of its identity to its deletion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// Counts the writes of the back end from 1; the ETag is made of it. A device's reports do not move it, so that
    /// optimistic concurrency of back ends never collides with reporting.
    pub service_writes: u64,
    /// The back end's notes; devices never see them.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// What the back end wants.
    pub desired: Section,
    /// What the device says.
    pub reported: Section,
    /// The Plug and Play model that the last connection announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// What a back end writes: sections that are left out stay as they are. JSON `null` for a section is ignored by a merge
/// and empties the section in a replacement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TwinPatch {
    /// For the tags.
    pub tags: Option<Value>,
    /// For the desired properties.
    pub desired: Option<Value>,
}

impl Twin {
    /// The twin of a device created at `created`.
    pub fn of_device(created: Timestamp) -> Self {
        Self::fresh(created)
    }

    /// The twin of a module; its metadata starts at year 1, as the service shows it.
    pub fn of_module() -> Self {
        Self::fresh(Timestamp::NEVER)
    }

    /// Base64 of the eight bytes, big-endian, of the count of service writes: `AAAAAAAAAAE=` at first.
    pub fn etag(&self) -> Etag {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(self.service_writes.to_be_bytes());
        Etag::new(text)
    }

    /// Rises by one with any write of either side: 2 at first.
    pub fn version(&self) -> u64 {
        self.service_writes.saturating_add(self.reported.version)
    }

    /// What the device itself gets: `{"desired":{…,"$version":n},"reported":{…,"$version":m}}` as JSON text.
    pub fn device_document(&self) -> String {
        let mut document = Map::new();
        document.insert("desired".into(), self.desired.device_json());
        document.insert("reported".into(), self.reported.device_json());
        Value::Object(document).to_string()
    }

    fn fresh(created: Timestamp) -> Self {
        Self {
            service_writes: 1,
            tags: Map::new(),
            desired: Section::fresh(created),
            reported: Section::fresh(created),
            model_id: None,
        }
    }
}
