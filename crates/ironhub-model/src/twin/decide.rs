//! What each write does to a twin.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::change::{DesiredNotice, TwinChange, TwinEvent};
use super::merge::{difference, merge, merge_plain};
use super::metadata::{Metadata, Stamp};
use super::section::full;
use super::validate::{self, InvalidTwin, Nulls};
use super::{Section, Twin, TwinPatch};
use crate::limits::{TWIN_PROPERTIES_BYTES_MAX, TWIN_TAGS_BYTES_MAX};
use crate::timestamp::Timestamp;

impl Twin {
    /// A device's own patch of its reported properties.
    pub fn apply_reported(&self, patch: Value, now: Timestamp) -> Result<TwinChange, InvalidTwin> {
        let patch = object(patch, "reported properties")?;
        validate::object(&patch, Nulls::Delete)?;
        let mut twin = self.clone();
        let version = twin.reported.version.saturating_add(1);
        let stamp = Stamp { at: now, version: None };
        let body = written(patch.clone(), stamp, version);
        twin.reported.merge(patch, stamp, version);
        twin.reported.check_size("reported properties")?;
        let event = TwinEvent::Update(json!({ "version": twin.version(), "properties": { "reported": body } }));
        Ok(TwinChange {
            twin,
            event,
            notice: None,
        })
    }

    /// A back end's merge. A patch with neither section changes nothing and is `None`.
    pub fn apply_patch(&self, patch: TwinPatch, now: Timestamp) -> Result<Option<TwinChange>, InvalidTwin> {
        let tags = service_section(patch.tags.filter(|tags| !tags.is_null()), "tags", Nulls::Delete)?;
        let desired = patch.desired.filter(|desired| !desired.is_null());
        let desired = service_section(desired, "desired properties", Nulls::Delete)?;
        if tags.is_none() && desired.is_none() {
            return Ok(None);
        }
        let mut twin = self.clone();
        twin.service_writes = twin.service_writes.saturating_add(1);
        let mut body = Map::new();
        body.insert("version".into(), twin.version().into());
        if let Some(tags) = tags {
            body.insert("tags".into(), Value::Object(tags.clone()));
            twin.patch_tags(tags)?;
        }
        let mut notice = None;
        if let Some(desired) = desired {
            let (told, event) = twin.patch_desired(desired, now)?;
            notice = Some(told);
            body.insert("properties".into(), json!({ "desired": event }));
        }
        let event = TwinEvent::Update(Value::Object(body));
        Ok(Some(TwinChange { twin, event, notice }))
    }

    /// A back end's replacement of the sections that it gives. A patch with neither section changes nothing and is
    /// `None`.
    pub fn replace(&self, patch: TwinPatch, now: Timestamp) -> Result<Option<TwinChange>, InvalidTwin> {
        let emptied = |section: Option<Value>| {
            section.map(|value| {
                if value.is_null() {
                    Value::Object(Map::new())
                } else {
                    value
                }
            })
        };
        let tags = service_section(emptied(patch.tags), "tags", Nulls::Refused)?;
        let desired = service_section(emptied(patch.desired), "desired properties", Nulls::Refused)?;
        if tags.is_none() && desired.is_none() {
            return Ok(None);
        }
        let mut twin = self.clone();
        twin.service_writes = twin.service_writes.saturating_add(1);
        if let Some(tags) = tags {
            twin.tags = tags;
            check_size(&twin.tags, "tags", TWIN_TAGS_BYTES_MAX)?;
        }
        let notice = match desired {
            Some(desired) => Some(twin.replace_desired(desired, now)?),
            None => None,
        };
        Ok(Some(TwinChange {
            twin,
            event: TwinEvent::Replace,
            notice,
        }))
    }

    fn patch_tags(&mut self, patch: Map<String, Value>) -> Result<(), InvalidTwin> {
        merge_plain(&mut self.tags, patch);
        check_size(&self.tags, "tags", TWIN_TAGS_BYTES_MAX)
    }

    /// The notice to the device and the section of the event.
    fn patch_desired(
        &mut self,
        patch: Map<String, Value>,
        now: Timestamp,
    ) -> Result<(DesiredNotice, Value), InvalidTwin> {
        let version = self.desired.version.saturating_add(1);
        let stamp = Stamp {
            at: now,
            version: Some(version),
        };
        let notice = DesiredNotice::new(patch.clone(), version);
        let event = written(patch.clone(), stamp, version);
        self.desired.merge(patch, stamp, version);
        self.desired.check_size("desired properties")?;
        Ok((notice, event))
    }

    fn replace_desired(&mut self, new: Map<String, Value>, now: Timestamp) -> Result<DesiredNotice, InvalidTwin> {
        let version = self.desired.version.saturating_add(1);
        let stamp = Stamp {
            at: now,
            version: Some(version),
        };
        let notice = DesiredNotice::new(difference(&self.desired.properties, &new), version);
        self.desired = Section {
            version,
            metadata: Metadata::of_members(&new, stamp),
            properties: new,
        };
        self.desired.check_size("desired properties")?;
        Ok(notice)
    }
}

impl Section {
    fn merge(&mut self, patch: Map<String, Value>, stamp: Stamp, version: u64) {
        merge(&mut self.properties, &mut self.metadata, patch, stamp);
        self.version = version;
    }

    fn check_size(&self, section: &'static str) -> Result<(), InvalidTwin> {
        check_size(&self.properties, section, TWIN_PROPERTIES_BYTES_MAX)
    }
}

impl DesiredNotice {
    fn new(patch: Map<String, Value>, version: u64) -> Self {
        Self {
            version,
            patch: Arc::from(full(patch, None, version).to_string()),
        }
    }
}

/// What was written, with the metadata of just that, as events show it.
fn written(patch: Map<String, Value>, stamp: Stamp, version: u64) -> Value {
    let metadata = Metadata::of_members(&patch, stamp);
    full(patch, Some(&metadata), version)
}

/// A section as a back end wrote it, checked. Back ends send whole twins back: what only the hub writes is dropped.
fn service_section(
    section: Option<Value>,
    name: &'static str,
    nulls: Nulls,
) -> Result<Option<Map<String, Value>>, InvalidTwin> {
    let Some(section) = section else { return Ok(None) };
    let mut section = object(section, name)?;
    section.retain(|name, _| !matches!(name.as_str(), "$metadata" | "$version"));
    validate::object(&section, nulls)?;
    Ok(Some(section))
}

fn object(value: Value, name: &'static str) -> Result<Map<String, Value>, InvalidTwin> {
    match value {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(InvalidTwin::NotAnObject(name))
        }
    }
}

fn check_size(members: &Map<String, Value>, section: &'static str, bytes_max: usize) -> Result<(), InvalidTwin> {
    if validate::size(members) > bytes_max {
        return Err(InvalidTwin::SectionSize { section, bytes_max });
    }
    Ok(())
}
