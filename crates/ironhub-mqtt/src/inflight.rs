//! QoS 1 deliveries on their way to the peer (MQTT 3.1.1, 4.3.2, 4.4).

use std::collections::VecDeque;

use thiserror::Error;

use crate::limits::INFLIGHT_WINDOW_MAX;
use crate::packet::PacketId;

/// Deliveries that are sent and not acknowledged, in the order of sending, each with the sender's tag.
///
/// The tag is what an acknowledgement settles, such as the lock token of a queued message. An empty window holds no
/// memory of its own.
#[derive(Debug)]
pub struct Inflight<T> {
    window: usize,
    next: PacketId,
    deliveries: VecDeque<(PacketId, T)>,
}

/// The window is full: wait for an acknowledgement. Holds the tag that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("as many deliveries in flight as the window allows")]
pub struct WindowFull<T>(pub T);

impl<T> Inflight<T> {
    /// A window of so many deliveries, at least 1 and at most [`INFLIGHT_WINDOW_MAX`].
    pub fn new(window: u16) -> Self {
        let window = window.clamp(1, INFLIGHT_WINDOW_MAX).into();
        Self {
            window,
            next: PacketId::MIN,
            deliveries: VecDeque::new(),
        }
    }

    /// Takes a delivery in and returns its packet identifier, which no other delivery in flight has ([MQTT-2.3.1-2]).
    pub fn push(&mut self, tag: T) -> Result<PacketId, WindowFull<T>> {
        if self.is_full() {
            return Err(WindowFull(tag));
        }
        let packet_id = self.free_packet_id();
        self.next = packet_id.next();
        self.deliveries.push_back((packet_id, tag));
        Ok(packet_id)
    }

    /// The peer has acknowledged a delivery: frees its place and returns its tag.
    ///
    /// `None` for an identifier that is not in flight, such as a second acknowledgement; nothing happens then. Order is
    /// not demanded of the peer.
    pub fn ack(&mut self, packet_id: PacketId) -> Option<T> {
        let index = self.index(packet_id)?;
        self.deliveries.remove(index).map(|(_, tag)| tag)
    }

    /// The tag of a delivery in flight, to be exchanged when the same packet is sent again with DUP.
    pub fn tag_mut(&mut self, packet_id: PacketId) -> Option<&mut T> {
        let index = self.index(packet_id)?;
        self.deliveries.get_mut(index).map(|(_, tag)| tag)
    }

    /// What is in flight, in the order of sending: also the order to send again in ([MQTT-4.6.0-1]).
    pub fn iter(&self) -> impl Iterator<Item = (PacketId, &T)> {
        self.deliveries.iter().map(|(packet_id, tag)| (*packet_id, tag))
    }

    /// Empties the window, in the order of sending: the connection is gone.
    pub fn drain(&mut self) -> impl Iterator<Item = (PacketId, T)> + '_ {
        self.deliveries.drain(..)
    }

    /// How many deliveries are in flight.
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Whether [`push`](Self::push) would refuse.
    pub fn is_full(&self) -> bool {
        self.deliveries.len() >= self.window
    }

    /// Ends, because the window is smaller than the number of identifiers.
    fn free_packet_id(&self) -> PacketId {
        let mut packet_id = self.next;
        while self.index(packet_id).is_some() {
            packet_id = packet_id.next();
        }
        packet_id
    }

    fn index(&self, packet_id: PacketId) -> Option<usize> {
        self.deliveries.iter().position(|(id, _)| *id == packet_id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    #[test]
    fn acknowledging_in_order_and_out_of_order() {
        let mut inflight = Inflight::new(3);
        assert_eq!(inflight.push("a"), Ok(id(1)));
        assert_eq!(inflight.push("b"), Ok(id(2)));
        assert_eq!(inflight.push("c"), Ok(id(3)));
        assert_eq!(inflight.push("d"), Err(WindowFull("d")));
        assert_eq!(inflight.ack(id(2)), Some("b"));
        assert_eq!(inflight.ack(id(2)), None);
        assert_eq!(inflight.ack(id(9)), None);
        assert_eq!(inflight.push("d"), Ok(id(4)));
        *inflight.tag_mut(id(3)).unwrap() = "c again";
        assert_eq!(
            inflight.iter().collect::<Vec<_>>(),
            [(id(1), &"a"), (id(3), &"c again"), (id(4), &"d")]
        );
        assert_eq!(
            inflight.drain().map(|(_, tag)| tag).collect::<Vec<_>>(),
            ["a", "c again", "d"]
        );
        assert!(inflight.is_empty());
    }

    #[test]
    fn identifiers_wrap_past_zero_and_past_those_in_flight() {
        let mut inflight = Inflight::new(2);
        let first = inflight.push(0).unwrap();
        for value in 2..=u16::MAX {
            assert_eq!(inflight.push(1), Ok(id(value)));
            inflight.ack(id(value));
        }
        assert_eq!(first, id(1));
        assert_eq!(inflight.push(1), Ok(id(2)), "1 is still in flight");
    }

    #[test]
    fn a_window_has_bounds() {
        let fill = |window| {
            let mut inflight = Inflight::new(window);
            while inflight.push(()).is_ok() {}
            inflight.len()
        };
        assert_eq!(fill(0), 1);
        assert_eq!(fill(16), 16);
        assert_eq!(fill(u16::MAX), usize::from(INFLIGHT_WINDOW_MAX));
    }

    proptest! {
        /// Against a plain list: `Some(n)` acknowledges the n-th in flight, `None` sends.
        #[test]
        fn behaves_like_a_list(window in 1u16..8, steps in prop::collection::vec(prop::option::of(0usize..8), 0..200)) {
            let mut inflight = Inflight::new(window);
            let mut list: Vec<(PacketId, usize)> = Vec::new();
            for (tag, step) in steps.into_iter().enumerate() {
                match step {
                    Some(nth) if nth < list.len() => {
                        let (packet_id, tag) = list.remove(nth);
                        prop_assert_eq!(inflight.ack(packet_id), Some(tag));
                    }
                    Some(_) => {}
                    None => match inflight.push(tag) {
                        Ok(packet_id) => {
                            prop_assert!(list.iter().all(|(used, _)| *used != packet_id));
                            list.push((packet_id, tag));
                        }
                        Err(WindowFull(refused)) => {
                            prop_assert_eq!(refused, tag);
                            prop_assert_eq!(list.len(), usize::from(window));
                        }
                    },
                }
                prop_assert_eq!(inflight.iter().map(|(id, tag)| (id, *tag)).collect::<Vec<_>>(), list.clone());
            }
        }
    }
}
