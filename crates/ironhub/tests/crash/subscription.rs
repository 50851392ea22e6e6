//! A device that is new each round and whose subscriptions must outlive the hub, even one that dies right after SUBACK.

use std::convert::Infallible;
use std::time::Duration;

use ironhub_mqtt::packet::{Publish, QoS};
use serde_json::json;
use tokio::sync::oneshot;

use crate::device::{Device, KEY};
use crate::dice::Dice;
use crate::events::Event;
use crate::hub_process::Hub;
use crate::service::{Caller, Dead};

const PREFIX: &str = "subscriber-";
const METHODS: &str = "$iothub/methods/POST/#";
const DESIRED: &str = "$iothub/twin/PATCH/properties/desired/#";

/// A device and what the hub has confirmed.
pub(crate) struct Subscriber {
    device: String,
    confirmed: Confirmed,
}

#[derive(Default)]
struct Confirmed {
    methods: bool,
    desired: bool,
    c2d: bool,
}

impl Subscriber {
    /// Registers the device of this round.
    pub(crate) async fn register(round: u32, caller: &mut Caller) -> Result<Self, Dead> {
        let device = format!("{PREFIX}{round}");
        let keys = json!({ "primaryKey": KEY, "secondaryKey": KEY });
        let body = json!({ "deviceId": device, "authentication": { "type": "sas", "symmetricKey": keys } });
        caller
            .call(&format!("PUT /devices/{device}"), body.to_string())
            .await?
            .expect(200);
        Ok(Self {
            device,
            confirmed: Confirmed::default(),
        })
    }

    /// Subscribes, tells so, and lives on until the hub is dead.
    pub(crate) async fn load(mut self, hub: Hub, mut dice: Dice, subscribed: oneshot::Sender<()>) -> Self {
        let Err(Dead) = self.subscribe(&hub, &mut dice, subscribed).await;
        hub.assert_killed();
        self
    }

    async fn subscribe(
        &mut self,
        hub: &Hub,
        dice: &mut Dice,
        subscribed: oneshot::Sender<()>,
    ) -> Result<Infallible, Dead> {
        let mut device = Device::connect(hub, &self.device).await?;
        tokio::time::sleep(Duration::from_micros(dice.below(200_000))).await;
        device.subscribe(METHODS, QoS::AtMostOnce).await?;
        self.confirmed.methods = true;
        device.subscribe(DESIRED, QoS::AtMostOnce).await?;
        self.confirmed.desired = true;
        device
            .subscribe(
                &format!("devices/{}/messages/devicebound/#", self.device),
                QoS::AtLeastOnce,
            )
            .await?;
        self.confirmed.c2d = true;
        let _ = subscribed.send(());
        let packet = device.next_if_any().await?;
        panic!("{} got {packet:?}", self.device)
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed.methods
    }

    /// Connects without subscribing: all that was confirmed is heard.
    pub(crate) async fn check(&self, hub: &Hub, caller: &mut Caller) -> Result<(), Dead> {
        let mut device = Device::connect(hub, &self.device).await?;
        assert!(
            device.session_present || !self.is_confirmed(),
            "{} has lost its session",
            self.device
        );
        if self.confirmed.methods {
            self.hear_method(&mut device, caller).await?;
        }
        if self.confirmed.desired {
            self.hear_desired(&mut device, caller).await?;
        }
        if self.confirmed.c2d {
            self.hear_c2d(&mut device, caller).await?;
        }
        Ok(())
    }

    async fn hear_method(&self, device: &mut Device, caller: &mut Caller) -> Result<(), Dead> {
        let request = format!("POST /twins/{}/methods", self.device);
        let call = json!({ "methodName": "ping", "payload": 1, "responseTimeoutInSeconds": 20 }).to_string();
        let answering = async {
            let topic = device.message().await?.topic;
            let request_id = topic
                .as_str()
                .strip_prefix("$iothub/methods/POST/ping/?$rid=")
                .expect("the method");
            device
                .publish_once(&format!("$iothub/methods/res/200/?$rid={request_id}"), b"2")
                .await
        };
        let (answer, answered) = tokio::join!(caller.call(&request, call), answering);
        answered?;
        let answer = answer?.expect(200);
        assert_eq!(
            (answer["status"].as_u64(), answer["payload"].as_u64()),
            (Some(200), Some(2))
        );
        Ok(())
    }

    async fn hear_desired(&self, device: &mut Device, caller: &mut Caller) -> Result<(), Dead> {
        let patch = json!({ "properties": { "desired": { "heard": true } } }).to_string();
        caller
            .call(&format!("PATCH /twins/{}", self.device), patch)
            .await?
            .expect(200);
        let Publish { topic, .. } = device.message().await?;
        assert_eq!(topic.as_str(), "$iothub/twin/PATCH/properties/desired/?$version=2");
        Ok(())
    }

    async fn hear_c2d(&self, device: &mut Device, caller: &mut Caller) -> Result<(), Dead> {
        let request = format!("POST /devices/{}/messages/deviceBound", self.device);
        caller.call(&request, "hello").await?.expect(204);
        assert_eq!(&*device.message().await?.payload, b"hello");
        Ok(())
    }

    /// Is this an event of one of these devices?
    pub(crate) fn is_told_by(event: &Event) -> bool {
        event.device.starts_with(PREFIX)
    }

    /// One event for the registration, one for the desired properties.
    pub(crate) fn check_events(&self, events: &[Event]) {
        let own = events.iter().filter(|event| event.device == self.device);
        let told: Vec<&str> = own.map(|event| event.operation.as_str()).collect();
        let all = ["createDeviceIdentity", "updateTwin"];
        let expected = if self.confirmed.desired { &all[..] } else { &all[..1] };
        assert_eq!(told, expected, "{}", self.device);
    }
}
