//! Device-to-cloud messages: the hot path.

use ironhub_dialect::mqtt::telemetry;
use ironhub_hub::{Ports, TelemetryError};
use ironhub_model::D2cMessage;
use ironhub_mqtt::packet::{Delivery, PublishRef};

use super::acks::Ticket;
use super::end::End;
use super::state::{State, Taken};

impl<P: Ports> State<P> {
    /// Submits a message. Its PUBACK follows when it is durable.
    pub(super) fn take_telemetry(&mut self, publish: &PublishRef<'_>, bag: &str) -> Result<Taken, End> {
        let mut message = telemetry::parse(bag, publish.payload);
        if publish.retain {
            mark_retained(&mut message);
        }
        match self.telemetry.submit(&message) {
            Ok(completion) => {
                if let Delivery::AtLeastOnce { packet_id, .. } = publish.delivery {
                    let bytes = publish.topic.len() + publish.payload.len();
                    self.acks.push(packet_id, Ticket::Durable(completion), bytes);
                }
                Ok(Taken::Yes)
            }
            Err(TelemetryError::Full) => Ok(Taken::NotYet),
            Err(TelemetryError::Hub(error)) => Err(error.into()),
        }
    }
}

/// The hub retains nothing; it says that it was asked to.
pub(super) fn mark_retained(message: &mut D2cMessage<'_>) {
    set_property(message, "mqtt-retain", "true");
}

/// What the hub says counts, not what the device says under the same name.
pub(super) fn set_property(message: &mut D2cMessage<'_>, name: &'static str, value: &'static str) {
    message.properties.retain(|(other, _)| other != name);
    message.properties.push((name.into(), Some(value.into())));
}
