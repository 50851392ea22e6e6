//! A reader of a partition: what Event Hubs clients receive from.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use ironhub_amqp::connection::{Delivery, LinkId, Outgoing, SendError};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, DeliveryTag, Role, SenderSettleMode, condition};
use ironhub_dialect::amqp::address::PartitionAddress;
use ironhub_dialect::amqp::events::{self, ReaderOptions, RuntimeMetrics, StartPosition, StoredParts, write_event};
use ironhub_hub::ports::{Bounds, LogRecord, Start};
use ironhub_hub::{EventCursor, HubError, Ports, Receiver, ReceiverLost, ReceiverRefused, StoredEvent};
use ironhub_model::PartitionId;
use ironhub_model::limits::{EVENT_READ_BYTES_MAX, EVENT_RECEIVERS_WITHOUT_LEVEL_MAX};
use tracing::{debug, warn};

use super::io::Io;
use super::node::{NodeEvents, Offer};
use super::redirect;
use crate::error::{entity_not_found, event_hubs_error};

/// One receiver link. It reads while it has credit, a piece of the log at a time, and sends as the peer takes it.
pub(super) struct Events<P: Ports> {
    link: LinkId,
    group: Box<str>,
    partition: PartitionId,
    options: ReaderOptions,
    receiver: Receiver,
    reading: Reading<P>,
    /// Read and not yet sent.
    records: vec::IntoIter<LogRecord>,
    /// What is read next.
    position: Start,
    is_draining: bool,
    /// Deliveries so far: their tags are counted, since nobody settles them.
    count: u32,
}

enum Reading<P: Ports> {
    Idle(EventCursor<P>),
    Waiting(NextRecords<P>),
    /// The log has failed.
    Over,
}

type NextRecords<P> = Pin<Box<dyn Future<Output = (EventCursor<P>, Result<Vec<LogRecord>, HubError>)> + Send>>;

impl<P: Ports> Events<P> {
    /// Takes the link, which may displace other readers, or refuses it.
    pub(super) fn attach(io: &mut Io<'_, P>, offer: &Offer, address: &PartitionAddress<'_>) -> Option<Self> {
        match Self::open(io, offer, address) {
            Ok(node) => {
                let answer = Attach {
                    snd_settle_mode: Some(SenderSettleMode::Settled),
                    ..offer.attach.answer()
                };
                io.accept(offer.link, answer).ok().map(|()| node)
            }
            Err(error) => {
                io.refuse(offer.link, error);
                None
            }
        }
    }

    fn open(io: &Io<'_, P>, offer: &Offer, address: &PartitionAddress<'_>) -> Result<Self, AmqpError> {
        let log = &io.hub.events;
        let group = address.consumer_group;
        if offer.attach.role == Role::Sender {
            return Err(redirect::no_senders(address.event_hub));
        }
        if !log.has_consumer_group(group) {
            return Err(entity_not_found(&entity(address)));
        }
        let partition = partition(address.partition, log.partitions())?;
        let options = ReaderOptions::of(&offer.attach)?;
        let source = offer.attach.source.as_ref();
        let wanted = source.map_or(Ok(StartPosition::Earliest), |source| {
            events::start_position(&source.filter)
        })?;
        let bounds = log.bounds(partition).map_err(|error| event_hubs_error(&error))?;
        wanted.check(bounds.next)?;
        let position = start(wanted, &bounds);
        let cursor = log
            .cursor(partition, position)
            .map_err(|error| event_hubs_error(&error))?;
        // The last thing that may refuse: it displaces others.
        let receiver = log
            .receiver(group, partition, &options.name, options.level)
            .map_err(|refused| refusal(&refused, &options, address))?;
        Ok(Self {
            link: offer.link,
            group: group.into(),
            partition,
            options,
            receiver,
            reading: Reading::Idle(cursor),
            records: Vec::new().into_iter(),
            position,
            is_draining: false,
            count: 0,
        })
    }

    /// Sends what was read, as far as the peer takes it. Returns whether all of it is sent.
    fn send(&mut self, io: &mut Io<'_, P>) -> Result<bool, AmqpError> {
        if self.records.as_slice().is_empty() {
            return Ok(true);
        }
        let metrics = self.metrics(io);
        while let Some(record) = self.records.as_slice().first() {
            match send(io, (self.link, self.count), record, metrics.as_ref()) {
                Ok(()) => self.count = self.count.wrapping_add(1),
                Err(Unsent::Unreadable(reason)) => {
                    let (partition, sequence) = (self.partition.0, record.sequence.0);
                    warn!(partition, sequence, reason, "an event cannot be read");
                }
                Err(Unsent::Link(SendError::Busy)) => {
                    io.want_output();
                    return Ok(false);
                }
                Err(Unsent::Link(SendError::NoCredit | SendError::Gone)) => return Ok(false),
                Err(Unsent::Link(SendError::TooLarge)) => {
                    let text = format!("The event {} is larger than the link takes.", record.sequence);
                    return Err(AmqpError::new(condition::MESSAGE_SIZE_EXCEEDED, text));
                }
            }
            self.records.next();
        }
        Ok(true)
    }

    /// Looked up once for all events that leave together.
    fn metrics(&self, io: &Io<'_, P>) -> Option<RuntimeMetrics> {
        if !self.options.wants_metrics {
            return None;
        }
        let bounds = io.hub.events.bounds(self.partition).ok()?;
        Some(RuntimeMetrics {
            last_sequence: ironhub_model::SequenceNumber(bounds.next.0.saturating_sub(1)),
            last_enqueued_at: bounds.last_enqueued_at,
            retrieved_at: io.hub.now(),
        })
    }

    /// Reads on, or waits for the next event.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HubError>> {
        let mut next: NextRecords<P> = match std::mem::replace(&mut self.reading, Reading::Over) {
            Reading::Waiting(next) => next,
            Reading::Idle(mut cursor) => Box::pin(async move {
                let records = cursor.next(EVENT_READ_BYTES_MAX).await;
                (cursor, records)
            }),
            Reading::Over => return Poll::Pending,
        };
        let Poll::Ready((cursor, records)) = next.as_mut().poll(cx) else {
            self.reading = Reading::Waiting(next);
            return Poll::Pending;
        };
        let records = records?;
        if let Some(last) = records.last() {
            self.position = Start::At(last.sequence.next());
        }
        self.records = records.into_iter();
        self.reading = Reading::Idle(cursor);
        Poll::Ready(Ok(()))
    }

    /// Sends and reads until there is nothing to read, no credit, or no room.
    fn advance(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) -> Result<(), AmqpError> {
        loop {
            if !self.send(io)? || io.amqp.credit(self.link) == 0 {
                return Ok(());
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    debug!(partition = self.partition.0, %error, "a reader of events ends");
                    return Err(event_hubs_error(&error));
                }
                Poll::Pending => {
                    self.drain(io);
                    return Ok(());
                }
            }
        }
    }

    /// Says that there is nothing more, to a peer that has asked for what there is.
    fn drain(&mut self, io: &mut Io<'_, P>) {
        if self.is_draining && self.is_at_end(io) {
            self.is_draining = false;
            // A link that has gone meanwhile has nothing to drain.
            let _ = io.amqp.drained(self.link);
        }
    }

    /// Is nothing left to read? Events on disk take a moment.
    fn is_at_end(&self, io: &Io<'_, P>) -> bool {
        let Ok(bounds) = io.hub.events.bounds(self.partition) else {
            return true;
        };
        match self.position {
            Start::Earliest => bounds.first == bounds.next,
            Start::At(sequence) => sequence >= bounds.next,
            Start::Latest | Start::Since(_) => true,
        }
    }

    fn lost(&self, lost: &ReceiverLost) -> AmqpError {
        match lost {
            ReceiverLost::Displaced { by, level } => {
                events::displaced(by, *level, &self.options.name, self.options.level)
            }
            ReceiverLost::ConsumerGroupRemoved => events::consumer_group_removed(&self.group),
        }
    }
}

impl<P: Ports> NodeEvents<P> for Events<P> {
    fn handle_delivery(&mut self, io: &mut Io<'_, P>, delivery: Delivery) {
        // Nobody sends to a reader.
        let _ = io.amqp.settle(delivery.receipt, DeliveryState::Released);
    }

    fn handle_credit(&mut self, _io: &mut Io<'_, P>, _link: LinkId, drain: bool) {
        self.is_draining = drain;
    }

    fn handle_revoked(&mut self, io: &mut Io<'_, P>, error: &AmqpError) {
        io.detach(self.link, Some(error.clone()));
    }

    fn poll(&mut self, cx: &mut Context<'_>, io: &mut Io<'_, P>) {
        // Before anything is sent: who was displaced gets no further event.
        let ended = match self.receiver.poll_lost(cx) {
            Poll::Ready(lost) => Err(self.lost(&lost)),
            Poll::Pending => self.advance(cx, io),
        };
        if let Err(error) = ended {
            io.detach(self.link, Some(error));
        }
    }
}

/// Why an event did not leave.
enum Unsent {
    /// Nothing can be done about it.
    Unreadable(&'static str),
    Link(SendError),
}

fn send<P: Ports>(
    io: &mut Io<'_, P>,
    (link, number): (LinkId, u32),
    record: &LogRecord,
    metrics: Option<&RuntimeMetrics>,
) -> Result<(), Unsent> {
    let event = StoredEvent::parse(&record.event).map_err(|_| Unsent::Unreadable("its stored form is not known"))?;
    let parts = StoredParts {
        sequence: record.sequence,
        enqueued_at: record.enqueued_at,
        annotation_pairs: event.annotation_pairs,
        annotations: event.annotations,
        bare_message: event.bare_message,
    };
    let outgoing = Outgoing {
        tag: DeliveryTag::counted(number),
        message_format: 0,
        settled: true,
    };
    let sent = io.amqp.send(link, outgoing, |out| write_event(out, &parts, metrics));
    sent.map(drop).map_err(Unsent::Link)
}

fn partition(text: &str, partitions: u32) -> Result<PartitionId, AmqpError> {
    let number: Option<u32> = text.parse().ok();
    let number = number.filter(|number| *number < partitions);
    number
        .map(PartitionId)
        .ok_or_else(|| events::no_such_partition(text, partitions))
}

fn start(wanted: StartPosition, bounds: &Bounds) -> Start {
    match wanted {
        StartPosition::Earliest => Start::Earliest,
        StartPosition::Latest => Start::At(bounds.next),
        StartPosition::Offset { named, is_inclusive } | StartPosition::Sequence { named, is_inclusive } => {
            Start::At(if is_inclusive { named } else { named.next() })
        }
        StartPosition::Since(time) => Start::Since(time),
    }
}

fn refusal(refused: &ReceiverRefused, own: &ReaderOptions, address: &PartitionAddress<'_>) -> AmqpError {
    match refused {
        ReceiverRefused::ConsumerGroupNotFound => entity_not_found(&entity(address)),
        ReceiverRefused::LevelTooLow { current, level } => {
            events::level_too_low(current, *level, &own.name, own.level.unwrap_or(*level))
        }
        ReceiverRefused::Owned { level } => events::owned(*level),
        ReceiverRefused::TooMany => events::too_many_readers(EVENT_RECEIVERS_WITHOUT_LEVEL_MAX),
    }
}

fn entity(address: &PartitionAddress<'_>) -> String {
    format!("{}/ConsumerGroups/{}", address.event_hub, address.consumer_group)
}
