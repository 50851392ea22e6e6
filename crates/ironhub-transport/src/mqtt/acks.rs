//! PUBACKs that wait for their messages to be durable.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::BytesMut;
use ironhub_hub::ports::{Completion, Waiter};
use ironhub_model::limits::{D2C_IN_FLIGHT_BYTES_PER_CONNECTION_MAX, D2C_IN_FLIGHT_PER_CONNECTION_MAX};
use ironhub_mqtt::ack_queue::AckQueue;
use ironhub_mqtt::limits::ACK_QUEUE_MAX;
use ironhub_mqtt::packet::PacketId;

use super::end::End;

#[expect(clippy::cast_possible_truncation, reason = "asserted below")]
const IN_FLIGHT_MAX: u16 = D2C_IN_FLIGHT_PER_CONNECTION_MAX as u16;
const _: () = assert!(D2C_IN_FLIGHT_PER_CONNECTION_MAX <= ACK_QUEUE_MAX as usize);

/// What has to come true before a PUBACK.
#[derive(Debug)]
pub(super) enum Ticket {
    /// The message is in the log.
    Durable(Completion),
    /// So many operations of the connection are done.
    Operation(u64),
    /// Nothing.
    Now,
}

/// The window of a connection's messages in flight: a bounded number, of bounded size.
#[derive(Debug)]
pub(super) struct Acks {
    queue: AckQueue<(Ticket, usize)>,
    bytes: usize,
    waiter: Waiter,
}

impl Acks {
    pub(super) fn new() -> Self {
        Self {
            queue: AckQueue::new(IN_FLIGHT_MAX),
            bytes: 0,
            waiter: Waiter::default(),
        }
    }

    /// May no further message come in?
    pub(super) fn is_full(&self) -> bool {
        self.queue.is_full() || self.bytes >= D2C_IN_FLIGHT_BYTES_PER_CONNECTION_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// A message of so many bytes has come in. Only called when not full.
    pub(super) fn push(&mut self, packet_id: PacketId, ticket: Ticket, bytes: usize) {
        if self.queue.push(packet_id, (ticket, bytes)).is_ok() {
            self.bytes += bytes;
        }
    }

    /// Appends the PUBACKs that are due to `out` and returns how many. `operations` are done so far.
    pub(super) fn send(&mut self, operations: u64, out: &mut BytesMut) -> Result<usize, End> {
        if self.queue.is_empty() {
            return Ok(0);
        }
        let bytes = &mut self.bytes;
        let is_ready = |(ticket, size): &mut (Ticket, usize)| {
            let polled = ticket.poll(operations);
            if let Poll::Ready(Ok(())) = polled {
                *bytes -= *size;
            }
            polled
        };
        self.queue.poll_ready(is_ready, out)
    }

    /// Resolves when the first message is durable, or never will be; never when the first does not wait for the log.
    /// Cancel-safe.
    pub(super) async fn progress(&mut self) {
        poll_fn(|cx| self.poll_progress(cx)).await;
    }

    fn poll_progress(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.queue.first() {
            Some((Ticket::Durable(completion), _)) => self.waiter.poll(cx, completion).map(drop),
            Some((Ticket::Operation(_) | Ticket::Now, _)) | None => Poll::Pending,
        }
    }
}

impl Ticket {
    fn poll(&self, operations: u64) -> Poll<Result<(), End>> {
        let is_ready = match self {
            Self::Durable(completion) => {
                // In this order: the log rises before it stops.
                let is_stopped = completion.watermark().is_stopped();
                if !completion.is_durable() && is_stopped {
                    return Poll::Ready(Err(End::LogStopped));
                }
                completion.is_durable()
            }
            Self::Operation(number) => operations >= *number,
            Self::Now => true,
        };
        if is_ready { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use ironhub_hub::ports::Watermark;

    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    #[tokio::test]
    async fn acks_leave_in_order_as_the_log_rises() {
        let (watermark, mut acks, mut out) = (Watermark::new(), Acks::new(), BytesMut::new());
        acks.push(id(1), Ticket::Durable(watermark.completion(5)), 10);
        acks.push(id(2), Ticket::Now, 10);
        acks.push(id(3), Ticket::Operation(1), 10);
        assert_eq!(acks.send(0, &mut out).unwrap(), 0);
        watermark.advance(5);
        acks.progress().await;
        assert_eq!(acks.send(0, &mut out).unwrap(), 2);
        assert_eq!(acks.bytes, 10);
        assert_eq!(acks.send(1, &mut out).unwrap(), 1);
        assert_eq!(&out[..], b"\x40\x02\0\x01\x40\x02\0\x02\x40\x02\0\x03");
        assert!(acks.is_empty());
        assert_eq!(acks.bytes, 0);
    }

    #[tokio::test]
    async fn a_stopped_log_acknowledges_nothing() {
        let (watermark, mut acks, mut out) = (Watermark::new(), Acks::new(), BytesMut::new());
        acks.push(id(1), Ticket::Durable(watermark.completion(1)), 0);
        acks.push(id(2), Ticket::Durable(watermark.completion(2)), 0);
        assert_eq!(acks.send(0, &mut out).unwrap(), 0);
        watermark.advance(1);
        watermark.stop();
        acks.progress().await;
        assert!(matches!(acks.send(0, &mut out), Err(End::LogStopped)));
        assert_eq!(&out[..], b"\x40\x02\0\x01");
    }

    #[test]
    fn the_window_is_bounded_in_number_and_bytes() {
        let watermark = Watermark::new();
        let mut acks = Acks::new();
        for _ in 0..D2C_IN_FLIGHT_PER_CONNECTION_MAX {
            assert!(!acks.is_full());
            acks.push(id(1), Ticket::Durable(watermark.completion(1)), 1);
        }
        assert!(acks.is_full());
        let mut acks = Acks::new();
        acks.push(
            id(1),
            Ticket::Durable(watermark.completion(1)),
            D2C_IN_FLIGHT_BYTES_PER_CONNECTION_MAX,
        );
        assert!(acks.is_full());
    }
}
