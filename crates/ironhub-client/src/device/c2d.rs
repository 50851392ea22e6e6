//! Cloud-to-device messages as a device receives them.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ironhub_model::C2dMessage;
use ironhub_mqtt::packet::PacketId;
use tokio::sync::{mpsc, oneshot};

use super::command::Command;
use crate::error::Error;

/// Counts connections: what belongs to an older one can be told.
#[derive(Debug, Clone, Default)]
pub(super) struct Epoch(Arc<AtomicU64>);

impl Epoch {
    pub(super) fn current(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn advance(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// How a message is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Gone when it was sent: the subscription was granted at QoS 0.
    Settled,
    /// By a PUBACK.
    ByAck(PacketId),
}

/// A message on its way to the receiver.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) message: C2dMessage,
    pub(super) epoch: u64,
    pub(super) settlement: Settlement,
}

/// The cloud-to-device messages of a device, oldest first.
///
/// What is not completed comes again after the next reconnect, so a message may be seen twice.
#[derive(Debug)]
pub struct C2dStream {
    deliveries: mpsc::Receiver<Delivery>,
    commands: mpsc::WeakSender<Command>,
    epoch: Epoch,
}

/// A received cloud-to-device message. Dropping it leaves it in the hub's queue; MQTT knows no other refusal.
#[derive(Debug)]
pub struct ReceivedMessage {
    message: C2dMessage,
    epoch: u64,
    settlement: Settlement,
    commands: mpsc::WeakSender<Command>,
}

impl C2dStream {
    pub(super) fn new(deliveries: mpsc::Receiver<Delivery>, commands: mpsc::WeakSender<Command>, epoch: Epoch) -> Self {
        Self {
            deliveries,
            commands,
            epoch,
        }
    }

    /// The next message; none once the client is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        loop {
            let delivery = self.deliveries.recv().await?;
            // The hub delivers again what waited here while the connection broke.
            if delivery.settlement == Settlement::Settled || delivery.epoch == self.epoch.current() {
                return Some(ReceivedMessage {
                    message: delivery.message,
                    epoch: delivery.epoch,
                    settlement: delivery.settlement,
                    commands: self.commands.clone(),
                });
            }
        }
    }
}

impl ReceivedMessage {
    /// Takes the message out of the hub's queue, and has the sender told if it asked for that.
    ///
    /// Returns once the acknowledgement is handed to the connection; MQTT does not confirm it.
    ///
    /// # Errors
    ///
    /// [`Error::LockLost`] when the connection that delivered the message is gone: it comes again.
    pub async fn complete(self) -> Result<(), Error> {
        let Settlement::ByAck(packet_id) = self.settlement else {
            return Ok(());
        };
        let commands = self.commands.upgrade().ok_or(Error::Closed)?;
        let (done, answer) = oneshot::channel();
        let command = Command::Complete {
            epoch: self.epoch,
            packet_id,
            done,
        };
        commands.send(command).await.map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// The message without its handle: it stays in the hub's queue.
    pub fn into_message(self) -> C2dMessage {
        self.message
    }
}

impl Deref for ReceivedMessage {
    type Target = C2dMessage;

    fn deref(&self) -> &C2dMessage {
        &self.message
    }
}
