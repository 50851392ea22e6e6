//! A device's twin as the device sees it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::error::{Error, HubError};
use crate::limits::DESIRED_WAITING_MAX;

/// The member that holds a section's version.
const VERSION: &str = "$version";

/// One section of a twin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// Rises with each change.
    pub version: u64,
    /// The properties, without `$version`.
    pub properties: Map<String, Value>,
}

/// Both sections that a device sees.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DeviceTwin {
    /// What the back end wants.
    pub desired: Section,
    /// What the device says.
    pub reported: Section,
}

/// News of the desired properties.
#[derive(Debug, Clone, PartialEq)]
pub enum DesiredChange {
    /// All of them: at the beginning, and whenever changes may have been missed.
    All(Section),
    /// What has changed: members that are there replace, `null` deletes.
    Patch(Section),
}

/// The changes of desired properties, in order and without a gap: what could not be heard, because there was no
/// connection or because nobody read for too long, comes as [`DesiredChange::All`].
#[derive(Debug)]
pub struct DesiredStream(Arc<DesiredQueue>);

impl DesiredStream {
    pub(super) fn new(queue: Arc<DesiredQueue>) -> Self {
        Self(queue)
    }

    /// The next change; none once the client is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<DesiredChange> {
        loop {
            let news = self.0.news.notified();
            {
                let mut state = self.0.lock();
                if let Some(change) = state.waiting.pop_front() {
                    return Some(change);
                }
                if state.is_closed {
                    return None;
                }
            }
            news.await;
        }
    }
}

/// Between the connection and the reader.
#[derive(Debug, Default)]
pub(super) struct DesiredQueue {
    state: Mutex<DesiredState>,
    news: Notify,
}

#[derive(Debug, Default)]
struct DesiredState {
    /// Everything as the hub has told it; none before the first answer.
    known: Option<Section>,
    waiting: VecDeque<DesiredChange>,
    is_closed: bool,
}

impl DesiredQueue {
    /// The whole section: told unless it is known.
    pub(super) fn set_all(&self, section: Section) {
        let mut state = self.lock();
        // A version may also go back: the device was deleted and made anew.
        if state.known.as_ref() != Some(&section) {
            state.known = Some(section.clone());
            state.waiting.push_back(DesiredChange::All(section));
            self.bound(&mut state);
        }
    }

    /// A change. False when one before it is missing: the whole section has to be asked for.
    #[must_use]
    pub(super) fn patch(&self, patch: Section) -> bool {
        let mut state = self.lock();
        let Some(known) = &mut state.known else {
            return false;
        };
        if patch.version <= known.version {
            return true;
        }
        if patch.version != known.version + 1 {
            return false;
        }
        known.version = patch.version;
        merge(&mut known.properties, &patch.properties);
        state.waiting.push_back(DesiredChange::Patch(patch));
        self.bound(&mut state);
        true
    }

    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.news.notify_one();
    }

    fn bound(&self, state: &mut DesiredState) {
        if state.waiting.len() > DESIRED_WAITING_MAX {
            state.waiting.clear();
            state.waiting.extend(state.known.clone().map(DesiredChange::All));
        }
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, DesiredState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Objects member by member, `null` deletes, anything else replaces.
fn merge(properties: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match (properties.get_mut(name), value) {
            (_, Value::Null) => {
                properties.shift_remove(name);
            }
            (Some(Value::Object(below)), Value::Object(patch)) => merge(below, patch),
            (_, Value::Object(patch)) => {
                let mut below = Map::new();
                merge(&mut below, patch);
                properties.insert(name.clone(), Value::Object(below));
            }
            (_, value) => {
                properties.insert(name.clone(), value.clone());
            }
        }
    }
}

impl Section {
    /// Reads an object with its `$version`.
    pub(super) fn read(value: Value) -> Option<Self> {
        let Value::Object(mut properties) = value else {
            return None;
        };
        let version = properties.shift_remove(VERSION)?.as_u64()?;
        Some(Self { version, properties })
    }
}

impl DeviceTwin {
    pub(super) fn read(payload: &[u8]) -> Result<Self, Error> {
        let section = |value: &mut Value, name: &str| Section::read(value.get_mut(name)?.take());
        serde_json::from_slice::<Value>(payload)
            .ok()
            .and_then(|mut twin| {
                Some(Self {
                    desired: section(&mut twin, "desired")?,
                    reported: section(&mut twin, "reported")?,
                })
            })
            .ok_or_else(|| Error::Protocol("a twin without desired and reported properties".to_owned()))
    }
}

/// Reads a refusal: JSON, when the hub is in the mood.
pub(super) fn refusal(status: u16, payload: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(payload).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let code = body.get("errorCode").and_then(Value::as_u64);
    Error::Hub(HubError {
        status,
        code: code.and_then(|code| u32::try_from(code).ok()),
        message: text("message").unwrap_or_else(|| "the hub refused a twin request".to_owned()),
        tracking_id: text("trackingId"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn section(version: u64, properties: &Value) -> Section {
        let properties = properties.as_object().unwrap().clone();
        Section { version, properties }
    }

    fn drain(queue: &DesiredQueue) -> Vec<DesiredChange> {
        queue.lock().waiting.drain(..).collect()
    }

    #[test]
    fn changes_come_in_order_and_gaps_are_noticed() {
        let queue = DesiredQueue::default();
        assert!(!queue.patch(section(2, &json!({ "a": 1 }))), "nothing is known yet");
        let all = section(2, &json!({ "a": 1 }));
        queue.set_all(all.clone());
        queue.set_all(all.clone());
        assert!(queue.patch(section(2, &json!({ "a": 1 }))), "is known");
        let patch = section(3, &json!({ "a": null, "b": { "c": null, "d": 2 } }));
        assert!(queue.patch(patch.clone()));
        assert!(!queue.patch(section(5, &json!({}))), "4 is missing");
        queue.set_all(section(3, &json!({ "b": { "d": 2 } })));
        assert_eq!(drain(&queue), [DesiredChange::All(all), DesiredChange::Patch(patch)]);
    }

    #[test]
    fn who_does_not_read_gets_everything_at_once() {
        let queue = DesiredQueue::default();
        queue.set_all(section(1, &json!({})));
        let last = DESIRED_WAITING_MAX as u64 + 1;
        for version in 2..=last {
            assert!(queue.patch(section(version, &json!({ "n": version }))));
        }
        let expected = [DesiredChange::All(section(last, &json!({ "n": last })))];
        assert_eq!(drain(&queue), expected);
    }

    #[tokio::test]
    async fn the_stream_ends_with_the_client() {
        let queue = Arc::new(DesiredQueue::default());
        let mut stream = DesiredStream::new(Arc::clone(&queue));
        queue.set_all(section(1, &json!({})));
        queue.close();
        assert!(stream.next().await.is_some());
        assert_eq!(stream.next().await, None);
        assert_eq!(stream.next().await, None);
    }

    #[test]
    fn twins_and_refusals() {
        let twin = br#"{"desired":{"a":1,"$version":4},"reported":{"$version":1}}"#;
        let expected = DeviceTwin {
            desired: section(4, &json!({ "a": 1 })),
            reported: section(1, &json!({})),
        };
        assert_eq!(DeviceTwin::read(twin), Ok(expected));
        for bad in [
            "",
            "[]",
            r#"{"desired":{}}"#,
            r#"{"desired":{"$version":1},"reported":3}"#,
        ] {
            assert!(DeviceTwin::read(bad.as_bytes()).is_err(), "{bad}");
        }
        let body = br#"{"errorCode":400004,"trackingId":"t","message":"m"}"#;
        assert_eq!(refusal(400, body).to_string(), "400004: m");
        assert_eq!(
            refusal(500, b"").to_string(),
            "status 500: the hub refused a twin request"
        );
    }
}
