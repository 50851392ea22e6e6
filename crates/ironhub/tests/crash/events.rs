//! The event log as a reader of the built-in endpoint sees it, and a memory of what was in it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use http_body_util::BodyExt;
use serde_json::Value;

use crate::service::{Caller, Dead};

pub(crate) const PARTITIONS: usize = 4;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) source: String,
    pub(crate) device: String,
    pub(crate) operation: String,
    pub(crate) body: Value,
}

/// What has been read so far: an event once seen must stay, at its place and as it was.
#[derive(Default)]
pub(crate) struct EventBook {
    /// One digest for each event of a partition, in order.
    digests: [Vec<u64>; PARTITIONS],
    /// Where each device's events are.
    homes: HashMap<String, usize>,
}

impl EventBook {
    pub(crate) fn len(&self) -> usize {
        self.digests.iter().map(Vec::len).sum()
    }

    /// Reads what is new.
    pub(crate) async fn read_new(&mut self, caller: &mut Caller) -> Result<Vec<Event>, Dead> {
        let mut events = Vec::new();
        for partition in 0..PARTITIONS {
            let from = self.digests[partition].len().to_string();
            for line in read(caller, partition, &from).await? {
                let value = self.enter(partition, &line);
                events.push(Event::of(value));
            }
        }
        Ok(events)
    }

    /// Reads everything once more, and compares.
    pub(crate) async fn compare(&self, caller: &mut Caller) -> Result<(), Dead> {
        for (partition, known) in self.digests.iter().enumerate() {
            let lines = read(caller, partition, "earliest").await?;
            let digests: Vec<u64> = lines.iter().map(|line| digest(line)).collect();
            let differs = known.iter().zip(&digests).position(|(known, now)| known != now);
            assert_eq!(differs, None, "an event of partition {partition} has changed");
            assert_eq!(digests.len(), known.len(), "partition {partition}");
        }
        Ok(())
    }

    fn enter(&mut self, partition: usize, line: &str) -> Value {
        let value: Value = serde_json::from_str(line).unwrap();
        let digests = &mut self.digests[partition];
        let sequence = value["sequenceNumber"].as_u64();
        assert_eq!(sequence, Some(digests.len() as u64), "partition {partition} has a gap");
        digests.push(digest(line));
        let device = value["deviceId"].as_str().unwrap().to_owned();
        let home = *self.homes.entry(device).or_insert(partition);
        assert_eq!(home, partition, "a device has events in two partitions");
        value
    }
}

impl Event {
    fn of(mut value: Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            source: text(&value["source"]),
            device: text(&value["deviceId"]),
            operation: text(&value["properties"]["opType"]),
            body: value["body"].take(),
        }
    }
}

/// The lines of what a partition holds from there on.
pub(crate) async fn read(caller: &mut Caller, partition: usize, from: &str) -> Result<Vec<String>, Dead> {
    let request = format!("GET /ironhub/v1/events?partition={partition}&from={from}&follow=false");
    let response = caller.begin(&request, &[], "".into()).await?;
    assert_eq!(response.status(), 200, "{request}");
    let text = response.into_body().collect().await.map_err(|_| Dead)?.to_bytes();
    Ok(std::str::from_utf8(&text).unwrap().lines().map(str::to_owned).collect())
}

fn digest(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.hash(&mut hasher);
    hasher.finish()
}
