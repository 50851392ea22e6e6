use std::collections::VecDeque;

use crate::connection::{LinkId, Sent};
use crate::limits::UNSETTLED_SENT_MAX;
use crate::serial::distance;

/// Deliveries of ours that are not settled, in the order of their ids.
#[derive(Debug, Default)]
pub(crate) struct Unsettled(VecDeque<Entry>);

#[derive(Debug, Clone, Copy)]
struct Entry {
    sent: Sent,
    /// The peer named an outcome, has not settled, and waits for our word.
    is_reported: bool,
}

impl Unsettled {
    pub(crate) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= UNSETTLED_SENT_MAX
    }

    pub(crate) fn push(&mut self, sent: Sent) {
        self.0.push_back(Entry {
            sent,
            is_reported: false,
        });
    }

    /// The deliveries of the peer's range that it has not named before; they are removed when `is_final`.
    ///
    /// The range is the peer's, up to 2³² wide: only the ids that exist are looked at, found by halving. One
    /// range can span links in both settle modes.
    pub(crate) fn take(&mut self, first: u32, last: u32, is_final: impl Fn(&Sent) -> bool) -> Vec<Sent> {
        let Some(front) = self.0.front().map(|entry| entry.sent.delivery_id) else {
            return Vec::new();
        };
        let low = distance(first, front);
        let high = low + i64::from(last.wrapping_sub(first));
        let place = |entry: &Entry| i64::from(entry.sent.delivery_id.wrapping_sub(front));
        let start = self.0.partition_point(|entry| place(entry) < low);
        let end = self.0.partition_point(|entry| place(entry) <= high).max(start);

        let mut named = Vec::new();
        for entry in self.0.range_mut(start..end).filter(|entry| !entry.is_reported) {
            entry.is_reported = true;
            named.push(entry.sent);
        }
        if self.0.range(start..end).all(|entry| is_final(&entry.sent)) {
            self.0.drain(start..end);
        } else if self.0.range(start..end).any(|entry| is_final(&entry.sent)) {
            self.0
                .retain(|entry| !(low..=high).contains(&place(entry)) || !is_final(&entry.sent));
        }
        self.release();
        named
    }

    /// Removes one delivery; false when it is not there.
    pub(crate) fn remove(&mut self, delivery_id: u32) -> bool {
        let Some(front) = self.0.front().map(|entry| entry.sent.delivery_id) else {
            return false;
        };
        let place = delivery_id.wrapping_sub(front);
        match self
            .0
            .binary_search_by_key(&place, |entry| entry.sent.delivery_id.wrapping_sub(front))
        {
            Ok(index) => {
                self.0.remove(index);
                self.release();
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn remove_link(&mut self, link: LinkId) {
        self.0.retain(|entry| entry.sent.link != link);
        self.release();
    }

    /// A burst is over: an idle session does not keep the room for it.
    fn release(&mut self) {
        const KEPT: usize = 16;
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = VecDeque::new();
        }
    }
}
