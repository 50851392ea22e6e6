use bytes::Bytes;
use ironhub_dialect::https::events::{Format, StoredView, event_json, ndjson_line, sse_message};
use ironhub_hub::ports::{LogRecord, Start};
use ironhub_hub::{Hub, HubError, Ports, StoredEvent};
use ironhub_model::limits::EVENT_READ_BYTES_MAX;
use ironhub_model::{PartitionId, SequenceNumber};
use tokio::sync::mpsc::Sender;
use tracing::warn;

/// Where a reader is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// The next read begins here.
    pub(super) start: Start,
    /// The partition has all events before this one.
    pub(super) known_end: SequenceNumber,
    /// Wait for events from there on, or end.
    pub(super) follow: bool,
}

/// Reads one partition into a channel, no faster than the channel is emptied.
pub(super) struct PartitionReader<P: Ports> {
    hub: Hub<P>,
    partition: PartitionId,
    format: Format,
    position: Position,
}

impl<P: Ports> PartitionReader<P> {
    pub(super) fn new(hub: &Hub<P>, partition: PartitionId, format: Format, position: Position) -> Self {
        Self {
            hub: hub.clone(),
            partition,
            format,
            position,
        }
    }

    /// Ends with the events, or with the other end of the channel.
    pub(super) async fn run(mut self, events: Sender<Bytes>) {
        loop {
            let step = tokio::select! {
                () = events.closed() => return,
                step = self.step(&events) => step,
            };
            match step {
                Ok(true) => {}
                Ok(false) | Err(HubError::ShuttingDown) => return,
                Err(error) => {
                    warn!(partition = self.partition.0, %error, "a reader of events ends");
                    return;
                }
            }
        }
    }

    /// Passes some events on, or waits for some. False at the end.
    async fn step(&mut self, events: &Sender<Bytes>) -> Result<bool, HubError> {
        let log = &self.hub.events;
        // Looked up before reading: what is added in between is found by the next read.
        let end = log.bounds(self.partition)?.next;
        let records = log
            .read(self.partition, self.position.start, EVENT_READ_BYTES_MAX)
            .await?;
        if records.is_empty() {
            if !self.position.follow {
                return Ok(false);
            }
            self.position.start = Start::At(match self.position.start {
                Start::At(sequence) => sequence.max(end),
                Start::Earliest | Start::Latest | Start::Since(_) => end,
            });
            let Start::At(next) = self.position.start else {
                return Ok(true);
            };
            log.wait(self.partition, next).await?;
            return Ok(true);
        }
        for record in records {
            if !self.position.follow && record.sequence >= self.position.known_end {
                return Ok(false);
            }
            let next = record.sequence.next();
            if let Some(printed) = self.print(&record)
                && events.send(printed).await.is_err()
            {
                return Ok(false);
            }
            self.position.start = Start::At(next);
        }
        Ok(true)
    }

    /// An event that cannot be read is left out, and told in the log of the hub.
    fn print(&self, record: &LogRecord) -> Option<Bytes> {
        match self.json(record) {
            Ok(json) => Some(match self.format {
                Format::Ndjson => ndjson_line(json).into(),
                Format::Sse => sse_message(self.partition, record.sequence, &json).into(),
            }),
            Err(error) => {
                warn!(partition = self.partition.0, sequence = record.sequence.0, %error, "an event cannot be read");
                None
            }
        }
    }

    fn json(&self, record: &LogRecord) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let event = StoredEvent::parse(&record.event)?;
        let view = StoredView {
            partition: self.partition,
            sequence: record.sequence,
            enqueued_at: record.enqueued_at,
            source: event.source,
            device: event.device,
            module: event.module,
            annotations: event.annotation_map()?,
            bare_message: event.bare_message,
        };
        Ok(event_json(&view)?)
    }
}
