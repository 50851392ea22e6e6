use std::fmt;

use ironhub_amqp::connection::{Delivery, Event as AmqpEvent, LinkId};
use ironhub_amqp::performative::{Attach, DeliveryState, Role, Source, Target};
use ironhub_dialect::amqp::events::{ReceivedEvent, filter_after_offset, filter_since};
use tokio::time::sleep;
use tracing::warn;

use super::place::{Directory, Place};
use super::{Event, EventReaderBuilder, Hook, OutageHook, Positions, StartFrom};
use crate::error::Error;
use crate::limits::EVENT_CREDIT;
use crate::outage::Outage;
use crate::service::amqp::{AmqpConnection, AmqpConnector, of_established, read_error};

/// Before the first event of a partition.
const BEFORE_ALL: &str = "-1";

/// Reads the built-in endpoint, all partitions at once and each in its order. When the connection breaks it connects
/// again and goes on behind the last event that it gave out: none is lost, none comes twice.
///
/// Nothing is fetched ahead beyond a bound: a reader that is not asked stops the hub from sending.
///
/// ```no_run
/// # async fn example(service: ironhub_client::ServiceClient) -> Result<(), ironhub_client::Error> {
/// use ironhub_client::StartFrom;
///
/// let mut events = service
///     .events()
///     .start(StartFrom::Earliest)
///     .checkpoint_every(100, |positions| println!("dealt with up to {positions:?}"))
///     .connect()
///     .await?;
/// loop {
///     let event = events.next().await?;
///     println!("{:?}: {}", event.device_id(), String::from_utf8_lossy(&event.body));
/// }
/// # }
/// ```
pub struct EventReader {
    connector: AmqpConnector,
    consumer_group: String,
    place: Place,
    partitions: Vec<Partition>,
    connection: Option<AmqpConnection>,
    outage: Outage,
    checkpoint: Option<Checkpoint>,
    on_outage: Option<OutageHook>,
    /// Given out last: dealt with when the next one is asked for.
    given: Option<(String, String)>,
    positions: Positions,
}

struct Partition {
    id: String,
    begin: Begin,
    link: Option<LinkId>,
}

enum Begin {
    /// Behind this offset.
    After(String),
    /// Nothing has come yet.
    Start(StartFrom),
}

struct Checkpoint {
    every: u64,
    count: u64,
    hook: Hook,
}

impl EventReaderBuilder {
    /// Finds the event hub and its partitions, and begins to read. One attempt, like [`DeviceClient`]'s: from then on
    /// the reader connects again by itself.
    ///
    /// [`DeviceClient`]: crate::DeviceClient
    pub async fn connect(self) -> Result<EventReader, Error> {
        let connector = self.service.amqp().clone();
        let place = Place::find(&connector).await?;
        let mut connection = place.connect(&connector).await?;
        let mut directory = Directory::attach(&mut connection, &place.path).await?;
        let known = match self.partitions {
            Some(partitions) => partitions,
            None => directory.partitions(&mut connection).await?,
        };
        let mut partitions = Vec::with_capacity(known.len());
        for id in known {
            let begin = match (self.positions.get(&id), self.start) {
                (Some(offset), _) => Begin::After(offset.clone()),
                // What is new is decided now: a reconnect before the first event must not skip any.
                (None, StartFrom::Latest) => Begin::After(directory.last_offset(&mut connection, &id).await?),
                (None, start) => Begin::Start(start),
            };
            partitions.push(Partition { id, begin, link: None });
        }
        let mut reader = EventReader {
            connector,
            consumer_group: self.consumer_group,
            place,
            partitions,
            connection: None,
            outage: Outage::default(),
            checkpoint: self
                .checkpoint
                .map(|(every, hook)| Checkpoint { every, count: 0, hook }),
            on_outage: self.on_outage,
            given: None,
            positions: self.positions,
        };
        reader.attach_all(connection).await?;
        reader.outage.connected();
        Ok(reader)
    }
}

impl EventReader {
    /// The next event of any partition. Connects again when the connection breaks; an error is for good, or the retry
    /// policy's end. Cancel-safe: no event is lost. An attempt to connect that is cancelled begins anew, so leave it the
    /// time that it needs.
    pub async fn next(&mut self) -> Result<Event, Error> {
        self.deal_with_given();
        loop {
            let error = match self.try_next().await {
                Ok(event) => {
                    self.given = Some((event.partition.clone(), event.offset.clone()));
                    return Ok(event);
                }
                Err(error) => error,
            };
            self.connection = None;
            let delay = self.outage.delay(&self.connector.retry, &error)?;
            if let Some(hook) = self.on_outage.as_mut().filter(|_| self.outage.has_just_begun()) {
                hook(&error);
            }
            sleep(delay).await;
        }
    }

    /// By partition, the last event that was dealt with: that for which the next one was asked.
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Ends the connection in order.
    pub async fn close(mut self) {
        self.deal_with_given();
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }

    fn deal_with_given(&mut self) {
        let Some((partition, offset)) = self.given.take() else {
            return;
        };
        self.positions.insert(partition, offset);
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.count += 1;
            if checkpoint.count.is_multiple_of(checkpoint.every) {
                (checkpoint.hook)(&self.positions);
            }
        }
    }

    async fn try_next(&mut self) -> Result<Event, Error> {
        if self.connection.is_none() {
            let connection = self.place.connect(&self.connector).await?;
            self.attach_all(connection).await?;
            self.outage.connected();
        }
        let Some(connection) = &mut self.connection else {
            return Err(Error::Lost("the AMQP connection is gone".to_owned()));
        };
        loop {
            let event = connection.event().await.map_err(of_established)?;
            if let AmqpEvent::Detached { link, error } = &event
                && self.partitions.iter().any(|partition| partition.link == Some(*link))
            {
                return Err(of_established(read_error(error.as_ref())));
            }
            let AmqpEvent::Delivery(delivery) = event else {
                continue;
            };
            let link = delivery.receipt.link();
            let Some(partition) = self
                .partitions
                .iter_mut()
                .find(|partition| partition.link == Some(link))
            else {
                continue;
            };
            // Frees its credit.
            let _ = connection.amqp().settle(delivery.receipt, DeliveryState::Accepted);
            if let Some(event) = partition.take(&delivery) {
                return Ok(event);
            }
        }
    }

    async fn attach_all(&mut self, mut connection: AmqpConnection) -> Result<(), Error> {
        for partition in &mut self.partitions {
            let address = format!(
                "{}/ConsumerGroups/{}/Partitions/{}",
                self.place.path, self.consumer_group, partition.id
            );
            let attach = Attach {
                source: Some(Source {
                    filter: partition.begin.filter(),
                    ..Source::at(address)
                }),
                target: Some(Target::at("ironhub-client")),
                ..Attach::new(format!("events-{}", partition.id), Role::Receiver)
            };
            let link = connection.attach(attach).await?;
            partition.link = Some(link);
            // Fails when the link is gone again, which its event tells.
            let _ = connection.amqp().grant(link, EVENT_CREDIT);
        }
        self.connection = Some(connection);
        Ok(())
    }
}

impl Partition {
    /// An event that cannot be read is left out: asking again would not change it.
    fn take(&mut self, delivery: &Delivery) -> Option<Event> {
        match ReceivedEvent::parse(&delivery.payload) {
            Ok(event) => {
                self.begin = Begin::After(event.offset.clone());
                Some(Event::new(&self.id, event))
            }
            Err(error) => {
                warn!(partition = self.id, %error, "an event cannot be read");
                None
            }
        }
    }
}

impl Begin {
    fn filter(&self) -> ironhub_amqp::types::Encoded {
        match self {
            Self::After(offset) => filter_after_offset(offset),
            Self::Start(StartFrom::Since(instant)) => filter_since(*instant),
            Self::Start(StartFrom::Earliest | StartFrom::Latest) => filter_after_offset(BEFORE_ALL),
        }
    }
}

impl fmt::Debug for EventReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventReader")
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}
