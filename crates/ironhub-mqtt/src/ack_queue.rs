//! PUBACKs that wait for their messages to be safe, and leave in the order of the messages.

use std::collections::VecDeque;
use std::task::Poll;

use bytes::BytesMut;
use thiserror::Error;

use crate::limits::ACK_QUEUE_MAX;
use crate::packet::{PacketId, encode_puback};

/// QoS 1 publishes that were received and not acknowledged yet, each with a ticket that tells when it is safe.
///
/// Tickets may be done in any order; acknowledgements are sent in the order of the publishes ([MQTT-4.6.0-2]), since
/// the .NET device client takes any other order for an error (azure-iot-sdk-csharp, `OrderedTwoPhaseWorkQueue.cs`).
#[derive(Debug)]
pub struct AckQueue<T> {
    capacity: usize,
    waiting: VecDeque<(PacketId, T)>,
}

/// The queue is full: read nothing more until something is acknowledged. Holds the ticket that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("as many publishes wait for their acknowledgement as the queue allows")]
pub struct QueueFull<T>(pub T);

impl<T> AckQueue<T> {
    /// A queue of so many publishes, at least 1 and at most [`ACK_QUEUE_MAX`].
    pub fn new(capacity: u16) -> Self {
        Self {
            capacity: capacity.clamp(1, ACK_QUEUE_MAX).into(),
            waiting: VecDeque::new(),
        }
    }

    /// A publish has come; `ticket` will tell when it may be acknowledged.
    pub fn push(&mut self, packet_id: PacketId, ticket: T) -> Result<(), QueueFull<T>> {
        if self.is_full() {
            return Err(QueueFull(ticket));
        }
        self.waiting.push_back((packet_id, ticket));
        Ok(())
    }

    /// Appends the PUBACKs of the leading publishes that are safe, and returns how many.
    ///
    /// `poll` is asked for one ticket after the other until one is pending; only that one needs to wake the caller.
    /// When a ticket has failed, those before it are appended and those behind it are dropped: an acknowledgement of
    /// theirs would overtake the missing one, so the connection has to end.
    pub fn poll_ready<E>(
        &mut self,
        mut poll: impl FnMut(&mut T) -> Poll<Result<(), E>>,
        out: &mut BytesMut,
    ) -> Result<usize, E> {
        let mut count = 0;
        while let Some((packet_id, ticket)) = self.waiting.front_mut() {
            match poll(ticket) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => encode_puback(out, *packet_id),
                Poll::Ready(Err(error)) => {
                    self.waiting.clear();
                    return Err(error);
                }
            }
            self.waiting.pop_front();
            count += 1;
        }
        Ok(count)
    }

    /// The ticket that has to be done next.
    pub fn first(&self) -> Option<&T> {
        self.waiting.front().map(|(_, ticket)| ticket)
    }

    /// How many publishes wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether [`push`](Self::push) would refuse.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.capacity
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Ticket = Poll<Result<(), &'static str>>;
    const DONE: Ticket = Poll::Ready(Ok(()));
    const FAILED: Ticket = Poll::Ready(Err("disk"));

    fn queue(tickets: &[Ticket]) -> AckQueue<Ticket> {
        let mut queue = AckQueue::new(100);
        for (packet_id, ticket) in (1..).zip(tickets) {
            queue.push(PacketId::new(packet_id).unwrap(), *ticket).unwrap();
        }
        queue
    }

    #[track_caller]
    fn check(tickets: &[Ticket], expected: Result<usize, &'static str>, acks: &[u8], left: usize) {
        let mut queue = queue(tickets);
        let mut out = BytesMut::new();
        assert_eq!(queue.poll_ready(|ticket| *ticket, &mut out), expected);
        assert_eq!(out, acks);
        assert_eq!(queue.len(), left);
    }

    #[test]
    fn acknowledges_the_leading_ones_that_are_done() {
        check(&[], Ok(0), b"", 0);
        check(&[DONE], Ok(1), b"\x40\x02\0\x01", 0);
        check(&[DONE, DONE], Ok(2), b"\x40\x02\0\x01\x40\x02\0\x02", 0);
        check(&[Poll::Pending, DONE], Ok(0), b"", 2);
        check(&[DONE, Poll::Pending, DONE], Ok(1), b"\x40\x02\0\x01", 2);
        check(&[DONE, FAILED, DONE], Err("disk"), b"\x40\x02\0\x01", 0);
        check(&[Poll::Pending, FAILED, DONE], Ok(0), b"", 3);
    }

    #[test]
    fn refuses_when_full() {
        let mut queue = AckQueue::new(1);
        assert_eq!(queue.push(PacketId::MIN, "a"), Ok(()));
        assert_eq!(queue.push(PacketId::MIN, "b"), Err(QueueFull("b")));
        assert!(queue.is_full());
    }

    proptest! {
        /// Whatever the order of completion, the acknowledgements come in the order of the publishes.
        #[test]
        fn order_is_kept(order in Just((0..20).collect::<Vec<usize>>()).prop_shuffle()) {
            let mut tickets = vec![Poll::Pending; order.len()];
            let mut queue = AckQueue::new(100);
            for (packet_id, ticket) in (1..).zip(0..order.len()) {
                queue.push(PacketId::new(packet_id).unwrap(), ticket).unwrap();
            }
            let mut out = BytesMut::new();
            for done in order {
                tickets[done] = DONE;
                queue.poll_ready(|ticket| tickets[*ticket], &mut out).unwrap();
                let ready = tickets.iter().take_while(|ticket| ticket.is_ready()).count();
                prop_assert_eq!(out.len(), ready * 4, "nothing that is ready waits, nothing else leaves");
            }
            let ids: Vec<u8> = out.chunks(4).map(|packet| packet[3]).collect();
            prop_assert_eq!(ids, (1..=20).collect::<Vec<u8>>());
        }
    }
}
