//! What a device leaves behind when it vanishes.

use bytes::Bytes;
use ironhub_dialect::mqtt::telemetry;
use ironhub_dialect::mqtt::topic::DeviceTopics;
use ironhub_hub::{Ports, TelemetryError, TelemetrySender};
use ironhub_model::limits::STALL_MAX;
use ironhub_mqtt::packet::{self, QoS};
use tokio::time::timeout;
use tracing::warn;

use super::telemetry::{mark_retained, set_property};

/// A message to the identity's own telemetry topic: the only will that IoT Hub takes (Azure documentation "Communicate
/// with an IoT hub using the MQTT protocol").
#[derive(Debug)]
pub(super) struct Will {
    bag: Box<str>,
    body: Bytes,
    retain: bool,
}

impl Will {
    /// `None` for another topic, and for QoS 2.
    pub(super) fn new(will: packet::Will, topics: &DeviceTopics) -> Option<Self> {
        let bag = topics.telemetry_bag(&will.topic)?.into();
        (will.qos != QoS::ExactlyOnce).then_some(Self {
            bag,
            body: will.payload,
            retain: will.retain,
        })
    }

    /// Submits it as telemetry that says what it is.
    pub(super) async fn publish<P: Ports>(self, sender: &TelemetrySender<P>) {
        let mut message = telemetry::parse(&self.bag, &self.body);
        set_property(&mut message, "iothub-MessageType", "Will");
        if self.retain {
            mark_retained(&mut message);
        }
        let publishing = async {
            loop {
                match sender.submit(&message) {
                    Ok(completion) => return completion.durable().await.is_ok(),
                    Err(TelemetryError::Full) if sender.ready().await.is_ok() => {}
                    Err(_) => return false,
                }
            }
        };
        if timeout(STALL_MAX, publishing).await != Ok(true) {
            metrics::counter!("ironhub_mqtt_wills_lost_total").increment(1);
            warn!("a will could not be stored");
        }
    }
}
