//! The body of connection-state events: a number that says which of two events of a device is the later one.

use std::sync::atomic::{AtomicU64, Ordering};

use ironhub_model::Timestamp;

/// Numbers connection-state events: each is greater than all before it, also across a restart, as long as the clock
/// does not go back by more than the hub was down.
#[derive(Debug, Default)]
pub(crate) struct EventNumbers {
    last: AtomicU64,
}

impl EventNumbers {
    /// The next number, from the clock where it has moved.
    pub(crate) fn next(&self, now: Timestamp) -> u64 {
        let ticks = u64::try_from(now.dotnet_ticks()).unwrap_or(0);
        let later = |last: u64| Some(ticks.max(last.saturating_add(1)));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        last.ok().and_then(later).unwrap_or(ticks)
    }
}

/// `{"sequenceNumber":"…"}` with 64 hexadecimal digits, which compare as text.
pub(crate) fn body(number: u64) -> String {
    format!(r#"{{"sequenceNumber":"{number:064X}"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_whatever_the_clock_does() {
        let numbers = EventNumbers::default();
        let at = [10, 10, 5, 11].map(|secs| numbers.next(Timestamp::from_secs(secs)));
        assert!(at.is_sorted_by(|a, b| a < b), "{at:?}");
        assert_eq!(at[3], u64::try_from(Timestamp::from_secs(11).dotnet_ticks()).unwrap());
    }

    #[test]
    fn bodies_compare_as_text() {
        let (earlier, later) = (body(0x9F), body(0x10_0000));
        assert!(earlier < later);
        assert_eq!(later, format!(r#"{{"sequenceNumber":"{}100000"}}"#, "0".repeat(58)));
    }
}
