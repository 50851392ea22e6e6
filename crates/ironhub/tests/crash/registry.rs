//! A back end that creates and deletes devices, one operation after the other.

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::json;

use crate::dice::Dice;
use crate::events::Event;
use crate::hub_process::Hub;
use crate::service::{Caller, Dead};

const NAMES: u64 = 6;

/// A back end and its ledger.
pub(crate) struct Registry {
    prefix: &'static str,
    /// Generation ID of each device that exists.
    devices: BTreeMap<String, String>,
    /// Sent and not answered.
    open: Option<(String, Operation)>,
    /// Done, and not yet found among the events.
    untold: Vec<(String, Operation)>,
    pub(crate) acknowledged: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Self::Create => "createDeviceIdentity",
            Self::Delete => "deleteDeviceIdentity",
        }
    }
}

impl Registry {
    pub(crate) fn new(prefix: &'static str) -> Self {
        Self {
            prefix,
            devices: BTreeMap::new(),
            open: None,
            untold: Vec::new(),
            acknowledged: 0,
        }
    }

    /// Creates and deletes until the hub is dead.
    pub(crate) async fn load(mut self, hub: Hub, mut dice: Dice) -> Self {
        let Err(Dead) = self.write(&hub, &mut dice).await;
        hub.assert_killed();
        self
    }

    async fn write(&mut self, hub: &Hub, dice: &mut Dice) -> Result<Infallible, Dead> {
        let mut caller = hub.service.connect().await?;
        loop {
            let name = format!("{}-{}", self.prefix, dice.below(NAMES));
            let operation = if self.devices.contains_key(&name) {
                Operation::Delete
            } else {
                Operation::Create
            };
            self.open = Some((name.clone(), operation));
            match operation {
                Operation::Create => {
                    let body = json!({ "deviceId": name, "authentication": { "type": "sas" } }).to_string();
                    let answer = caller.call(&format!("PUT /devices/{name}"), body).await?;
                    let device = answer.expect(200);
                    self.devices
                        .insert(name.clone(), device["generationId"].as_str().unwrap().into());
                }
                Operation::Delete => {
                    let request = format!("DELETE /devices/{name}");
                    caller
                        .call_with(&request, &[("if-match", "*")], "".into())
                        .await?
                        .expect(204);
                    self.devices.remove(&name);
                }
            }
            self.open = None;
            self.untold.push((name, operation));
            self.acknowledged += 1;
        }
    }

    /// Compares the registry with the ledger, and learns what became of an operation without an answer. Returns how
    /// many events have to be found.
    pub(crate) async fn look(&mut self, caller: &mut Caller) -> Result<usize, Dead> {
        let open = self.open.take();
        for number in 0..NAMES {
            let name = format!("{}-{number}", self.prefix);
            let answer = caller.call(&format!("GET /devices/{name}"), "").await?;
            let generation = (answer.status != 404).then(|| {
                let device = answer.expect(200);
                device["generationId"].as_str().unwrap().to_owned()
            });
            let known = self.devices.get(&name).cloned();
            if generation == known {
                continue;
            }
            let operation = match (&known, &generation) {
                (None, Some(_)) => Operation::Create,
                (Some(_), None) => Operation::Delete,
                _ => panic!("{name} is another device: {known:?}, now {generation:?}"),
            };
            assert_eq!(
                open,
                Some((name.clone(), operation)),
                "{name}: {known:?} acknowledged, {generation:?} found"
            );
            match generation {
                Some(generation) => self.devices.insert(name.clone(), generation),
                None => self.devices.remove(&name),
            };
            self.untold.push((name, operation));
        }
        Ok(self.untold.len())
    }

    pub(crate) fn is_told_by(&self, event: &Event) -> bool {
        event.source == "deviceLifecycleEvents" && event.device.starts_with(self.prefix)
    }

    /// Exactly one event for each operation, in order, and none without.
    pub(crate) fn check(&mut self, events: &[Event]) {
        let own = events.iter().filter(|event| self.is_told_by(event));
        let told: Vec<_> = own
            .map(|event| (event.device.as_str(), event.operation.as_str()))
            .collect();
        for number in 0..NAMES {
            // Order is kept for each device; devices lie in different partitions.
            let name = format!("{}-{number}", self.prefix);
            let told: Vec<_> = told
                .iter()
                .filter(|(device, _)| *device == name)
                .map(|(_, told)| *told)
                .collect();
            let done = self.untold.iter().filter(|(device, _)| *device == name);
            let done: Vec<_> = done.map(|(_, operation)| operation.name()).collect();
            assert_eq!(told, done, "{name}: events on the left, operations on the right");
        }
        self.untold.clear();
    }
}
