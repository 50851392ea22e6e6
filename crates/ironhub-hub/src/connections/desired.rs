//! Brings desired-property notices into the order of their versions.
//!
//! Each write of desired properties raises their version by exactly one and is told on its own, so notices may
//! overtake each other. A device hears each once, in order, from the version after its subscription on.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironhub_model::limits::{DESIRED_NOTICE_BYTES_PENDING_MAX, DESIRED_NOTICES_PENDING_MAX};

/// The notices of one link.
#[derive(Debug, Default)]
pub(super) struct DesiredOrder {
    phase: Phase,
    pending: BTreeMap<u64, Arc<str>>,
    pending_bytes: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No subscription: notices are dropped.
    #[default]
    Off,
    /// Subscribed; which version the subscription starts from is being looked up.
    Learning,
    /// Everything up to this version has been heard, or was there before.
    Heard(u64),
}

/// Too many notices wait for this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

impl DesiredOrder {
    /// The device subscribes. Returns whether the version from which on it listens has to be told by
    /// [`DesiredOrder::starts_after`]; notices wait until then.
    pub(super) fn subscribe(&mut self) -> bool {
        let is_new = self.phase == Phase::Off;
        if is_new {
            self.phase = Phase::Learning;
        }
        is_new
    }

    /// The version that was current at the subscription.
    pub(super) fn starts_after(&mut self, version: u64) {
        if self.phase == Phase::Learning {
            self.hear(version);
        }
    }

    pub(super) fn unsubscribe(&mut self) {
        *self = Self::default();
    }

    pub(super) fn push(&mut self, version: u64, patch: Arc<str>) -> Result<(), Overflow> {
        match self.phase {
            Phase::Off => return Ok(()),
            Phase::Heard(heard) if version <= heard => return Ok(()),
            Phase::Heard(_) | Phase::Learning => {}
        }
        let bytes = self.pending_bytes + patch.len();
        if self.pending.len() >= DESIRED_NOTICES_PENDING_MAX || bytes > DESIRED_NOTICE_BYTES_PENDING_MAX {
            return Err(Overflow);
        }
        if self.pending.insert(version, patch).is_none() {
            self.pending_bytes = bytes;
        }
        Ok(())
    }

    /// The next notice in order, if it is there.
    pub(super) fn next(&mut self) -> Option<(u64, Arc<str>)> {
        let Phase::Heard(heard) = self.phase else { return None };
        let entry = self.pending.first_entry().filter(|first| *first.key() == heard + 1)?;
        let (version, patch) = entry.remove_entry();
        self.pending_bytes -= patch.len();
        self.phase = Phase::Heard(version);
        Some((version, patch))
    }

    /// Do notices wait for one that has not come?
    pub(super) fn has_gap(&self) -> bool {
        matches!(self.phase, Phase::Heard(_)) && !self.pending.is_empty()
    }

    /// Gives up on what is missing: its writer died between the write and the telling. The device sees it by the
    /// version.
    pub(super) fn skip_gap(&mut self) {
        if let (Phase::Heard(_), Some((first, _))) = (self.phase, self.pending.first_key_value()) {
            self.phase = Phase::Heard(first.saturating_sub(1));
        }
    }

    fn hear(&mut self, version: u64) {
        self.phase = Phase::Heard(version);
        self.pending = self.pending.split_off(&version.saturating_add(1));
        self.pending_bytes = self.pending.values().map(|patch| patch.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes in the given order; what comes out after each push, as one list.
    #[track_caller]
    fn check(start: u64, pushed: &[u64], expected: &[u64]) {
        let mut order = DesiredOrder::default();
        assert!(order.subscribe());
        order.starts_after(start);
        let mut heard = Vec::new();
        for version in pushed {
            order.push(*version, version.to_string().into()).unwrap();
            while let Some((version, patch)) = order.next() {
                assert_eq!(patch.as_ref(), version.to_string());
                heard.push(version);
            }
        }
        assert_eq!(heard, expected, "{pushed:?}");
    }

    #[test]
    fn each_is_heard_once_and_in_order() {
        check(4, &[5, 6, 7], &[5, 6, 7]);
        check(4, &[7, 6, 5], &[5, 6, 7]);
        check(4, &[5, 5, 3, 6, 5], &[5, 6]);
        check(4, &[6, 7], &[]);
        check(4, &[], &[]);
    }

    #[test]
    fn only_what_follows_the_subscription_is_heard() {
        let mut order = DesiredOrder::default();
        order.push(2, "2".into()).unwrap();
        assert!(order.subscribe());
        for version in [3, 5, 4] {
            order.push(version, "p".into()).unwrap();
        }
        assert_eq!(order.next(), None);
        order.starts_after(3);
        assert!(!order.subscribe());
        order.starts_after(9);
        assert_eq!(order.next().map(|(version, _)| version), Some(4));
        assert_eq!(order.next().map(|(version, _)| version), Some(5));
        order.unsubscribe();
        order.push(6, "6".into()).unwrap();
        assert_eq!(order.next(), None);
    }

    #[test]
    fn a_gap_can_be_given_up() {
        let mut order = DesiredOrder::default();
        order.subscribe();
        order.starts_after(1);
        assert!(!order.has_gap());
        order.push(4, "4".into()).unwrap();
        assert!(order.has_gap());
        order.skip_gap();
        assert_eq!(order.next().map(|(version, _)| version), Some(4));
        assert!(!order.has_gap());
        order.push(3, "3".into()).unwrap();
        assert_eq!(order.next(), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut order = DesiredOrder::default();
        order.subscribe();
        order.starts_after(0);
        for version in 0..DESIRED_NOTICES_PENDING_MAX as u64 {
            assert_eq!(order.push(version + 2, "p".into()), Ok(()));
        }
        assert_eq!(order.push(1, "p".into()), Err(Overflow));
        let mut order = DesiredOrder::default();
        order.subscribe();
        let large = "x".repeat(DESIRED_NOTICE_BYTES_PENDING_MAX);
        assert_eq!(order.push(1, large.into()), Ok(()));
        assert_eq!(order.push(2, "p".into()), Err(Overflow));
    }
}
