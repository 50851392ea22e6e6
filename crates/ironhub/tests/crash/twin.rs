//! A device that reports and a back end that desires, both at once on one twin.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ironhub_mqtt::packet::{Packet, QoS};
use serde_json::{Value, json};

use crate::device::Device;
use crate::events::Event;
use crate::hub_process::Hub;
use crate::service::{Caller, Dead};

const IN_FLIGHT_MAX: u64 = 4;

/// A twin and its ledgers.
pub(crate) struct Twin {
    device: String,
    reported: Section,
    desired: Section,
}

/// One section of the twin: each write sets one property to the next number.
struct Section {
    name: &'static str,
    next_value: u64,
    /// Versions that were acknowledged this round, and what they set.
    acknowledged: BTreeMap<u64, u64>,
    /// The newest version that the last look found: 1 is the empty section.
    version: u64,
    /// The newest that this look has found, and its value.
    found: (u64, u64),
    pub(crate) writes: u64,
}

impl Twin {
    pub(crate) fn new(device: impl Into<String>) -> Self {
        Self {
            device: device.into(),
            reported: Section::new("reported"),
            desired: Section::new("desired"),
        }
    }

    pub(crate) fn device(&self) -> &str {
        &self.device
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.reported.writes + self.desired.writes
    }

    /// Reports and desires until the hub is dead.
    pub(crate) async fn load(mut self, hub: Hub) -> Self {
        let reporting = report(&self.device, &mut self.reported, &hub);
        let desiring = desire(&self.device, &mut self.desired, &hub);
        let (Err(Dead), Err(Dead)) = tokio::join!(reporting, desiring);
        hub.assert_killed();
        self
    }

    /// Reads the twin. Returns how many events have to be found.
    pub(crate) async fn look(&mut self, caller: &mut Caller) -> Result<usize, Dead> {
        let twin = caller
            .call(&format!("GET /twins/{}", self.device), "")
            .await?
            .expect(200);
        let sections = [&mut self.reported, &mut self.desired];
        Ok(sections
            .into_iter()
            .map(|section| section.look(&self.device, &twin["properties"]))
            .sum())
    }

    pub(crate) fn is_told_by(&self, event: &Event) -> bool {
        event.source == "twinChangeEvents" && event.device == self.device
    }

    /// Exactly one event for each version, in order, with what that version wrote.
    pub(crate) fn check(&mut self, events: &[Event]) {
        let own: Vec<&Event> = events.iter().filter(|event| self.is_told_by(event)).collect();
        assert!(own.iter().all(|event| event.operation == "updateTwin"), "{own:?}");
        for section in [&mut self.reported, &mut self.desired] {
            section.check(&self.device, &own);
        }
    }
}

async fn report(device_id: &str, section: &mut Section, hub: &Hub) -> Result<Infallible, Dead> {
    let mut device = Device::connect(hub, device_id).await?;
    device.subscribe("$iothub/twin/res/#", QoS::AtMostOnce).await?;
    let mut in_flight = 0;
    loop {
        while in_flight < IN_FLIGHT_MAX {
            let value = section.take_value();
            let topic = format!("$iothub/twin/PATCH/properties/reported/?$rid={value:x}");
            device
                .publish_once(&topic, json!({ "value": value }).to_string().as_bytes())
                .await?;
            in_flight += 1;
        }
        let Packet::Publish(answer) = device.next_if_any().await? else {
            panic!("{device_id}: not an answer")
        };
        let parameters = answer.topic.as_str().strip_prefix("$iothub/twin/res/204/?$rid=");
        let (value, version) = parameters
            .and_then(|rest| rest.split_once("&$version="))
            .expect("a patch is taken");
        section.acknowledge(u64::from_str_radix(value, 16).unwrap(), version.parse().unwrap());
        in_flight -= 1;
    }
}

async fn desire(device_id: &str, section: &mut Section, hub: &Hub) -> Result<Infallible, Dead> {
    let mut caller = hub.service.connect().await?;
    loop {
        let value = section.take_value();
        let patch = json!({ "properties": { "desired": { "value": value } } }).to_string();
        let twin = caller
            .call(&format!("PATCH /twins/{device_id}"), patch)
            .await?
            .expect(200);
        section.acknowledge(value, version_of(&twin["properties"]["desired"]));
    }
}

fn version_of(section: &Value) -> u64 {
    section["$version"].as_u64().expect("a version")
}

impl Section {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            next_value: 1,
            acknowledged: BTreeMap::new(),
            version: 1,
            found: (1, 0),
            writes: 0,
        }
    }

    fn take_value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value - 1
    }

    fn acknowledge(&mut self, value: u64, version: u64) {
        let before = self.acknowledged.insert(version, value);
        assert_eq!(before, None, "two writes have made version {version}");
        self.writes += 1;
    }

    fn look(&mut self, device: &str, properties: &Value) -> usize {
        let section = &properties[self.name];
        let version = version_of(section);
        let value = section["value"].as_u64().unwrap_or(0);
        let acknowledged = self.acknowledged.keys().next_back().copied().unwrap_or(self.version);
        let name = self.name;
        assert!(
            version >= self.version,
            "{device}: {name} went back from {} to {version}",
            self.version
        );
        assert!(
            version >= acknowledged,
            "{device}: {name} {acknowledged} was acknowledged, {version} is there"
        );
        self.found = (version, value);
        usize::try_from(version - self.version).unwrap()
    }

    fn check(&mut self, device: &str, events: &[&Event]) {
        let written = events.iter().map(|event| &event.body["properties"][self.name]);
        let written = written.filter(|section| !section.is_null());
        let told: Vec<(u64, u64)> = written
            .map(|section| (version_of(section), section["value"].as_u64().unwrap()))
            .collect();
        let versions: Vec<u64> = told.iter().map(|(version, _)| *version).collect();
        let expected: Vec<u64> = (self.version + 1..=self.found.0).collect();
        assert_eq!(
            versions, expected,
            "{device}: events of {} on the left, writes on the right",
            self.name
        );
        assert!(
            told.is_sorted_by(|(_, a), (_, b)| a < b),
            "{device}: {} told twice: {told:?}",
            self.name
        );
        for (version, value) in &told {
            let acknowledged = self.acknowledged.remove(version);
            assert!(
                acknowledged.is_none_or(|acknowledged| acknowledged == *value),
                "{device}: version {version}"
            );
            assert!(*value < self.next_value, "{device}: nobody wrote {value}");
        }
        assert!(
            self.acknowledged.is_empty(),
            "{device}: without an event: {:?}",
            self.acknowledged
        );
        if let Some(last) = told.last() {
            assert_eq!(*last, self.found, "{device}: the last event is what the twin says");
        }
        self.version = self.found.0;
    }
}
