//! The built-in endpoint as a stream of JSON, for people and scripts.

mod reader;
mod stream;

use std::sync::Arc;

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{ACCEPT, CACHE_CONTROL, HeaderValue};
use ironhub_dialect::https::events::{EventsRequest, Format, From, preferred_format};
use ironhub_hub::ports::Start;
use ironhub_hub::{HubError, Ports};
use ironhub_model::limits::EVENT_READER_QUEUE_MAX;
use ironhub_model::{PartitionId, Permission};
use tokio::sync::mpsc;

use self::reader::{PartitionReader, Position};
use self::stream::EventStream;
use super::answer::{self, Answer};
use super::call::Call;

/// What it takes to read.
const RIGHTS: &[Permission] = &[Permission::ServiceConnect];

/// Begins a stream. Where it starts is fixed before the answer begins: what comes later is in it.
pub(super) async fn read<P: Ports>(call: &Call<P>) -> Answer {
    let caller = call.authorize(RIGHTS).await?;
    let request = EventsRequest::parse(call.parameters(), call.header("last-event-id"))?;
    let format = preferred_format(call.header(ACCEPT.as_str()));
    let events = &call.hub().events;
    if !events.has_consumer_group(&request.consumer_group) {
        return Err(HubError::ConsumerGroupNotFound(request.consumer_group).into());
    }
    let readers = Arc::clone(&call.site.event_readers);
    let permit = readers.try_acquire_owned().map_err(|_| HubError::Throttled)?;
    let follow = request.follow.unwrap_or(format.follows());
    let (sender, receiver) = mpsc::channel(EVENT_READER_QUEUE_MAX);
    let all = (0..events.partitions()).map(PartitionId);
    let partitions = match request.partition {
        Some(partition) => vec![partition],
        None => all.collect(),
    };
    let mut tasks = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let position = position(call, partition, request.from, follow)?;
        tasks.push(PartitionReader::new(call.hub(), partition, format, position));
    }
    for task in tasks {
        tokio::spawn(task.run(sender.clone()));
    }
    let auth = call.hub().auth.clone();
    let end = async move { auth.end_of_rights(&caller, RIGHTS).await };
    let stream = EventStream::new(receiver, permit, end);
    let stream = stream.with_max(request.max).with_signs_of_life(format == Format::Sse);
    let content_type = HeaderValue::from_static(format.content_type());
    let mut response = answer::with_type(StatusCode::OK, content_type, Body::new(stream));
    answer::set(&mut response, CACHE_CONTROL, "no-store");
    Ok(response)
}

fn position<P: Ports>(call: &Call<P>, partition: PartitionId, from: From, follow: bool) -> Result<Position, HubError> {
    let bounds = call.hub().events.bounds(partition)?;
    let start = match from {
        From::Earliest => Start::Earliest,
        From::Latest => Start::At(bounds.next),
        From::At(sequence) => Start::At(sequence),
        From::Since(instant) => Start::Since(instant),
    };
    Ok(Position {
        start,
        known_end: bounds.next,
        follow,
    })
}
