//! Slows down who fails to connect again and again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use ironhub_model::limits::{
    FAILED_CONNECT_DELAY_MAX, FAILED_CONNECT_DELAY_MIN, FAILED_CONNECT_MEMORY, FAILED_CONNECTS_TRACKED_MAX,
};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Remembers who failed lately, by address and client ID. The Node SDK tries about three times a second for ever, and a
/// device with a wrong key shall not take the time of others.
#[derive(Debug, Default)]
pub(crate) struct FailedConnects {
    /// Client IDs are remembered by hash: strangers choose them, up to 64 KiB long.
    hasher: RandomState,
    failures: Mutex<Failures>,
}

type Failures = HashMap<(IpAddr, u64), Failure>;

#[derive(Debug, Clone, Copy)]
struct Failure {
    delay: Duration,
    last: Instant,
}

impl FailedConnects {
    /// It failed now. Returns how long its answer has to wait.
    pub(crate) fn add(&self, address: IpAddr, client_id: &str) -> Duration {
        let who = (address, self.hasher.hash_one(client_id));
        add(&mut self.failures.lock(), who, Instant::now())
    }

    /// It has succeeded.
    pub(crate) fn forget(&self, address: IpAddr, client_id: &str) {
        let who = (address, self.hasher.hash_one(client_id));
        self.failures.lock().remove(&who);
    }
}

fn add(failures: &mut Failures, who: (IpAddr, u64), now: Instant) -> Duration {
    let is_recent = |failure: &Failure| now.duration_since(failure.last) < FAILED_CONNECT_MEMORY;
    let delay = match failures.get(&who).filter(|failure| is_recent(failure)) {
        Some(failure) => (failure.delay * 2).min(FAILED_CONNECT_DELAY_MAX),
        None => FAILED_CONNECT_DELAY_MIN,
    };
    if failures.len() >= FAILED_CONNECTS_TRACKED_MAX && !failures.contains_key(&who) {
        failures.retain(|_, failure| is_recent(failure));
        if failures.len() >= FAILED_CONNECTS_TRACKED_MAX {
            // So many at once are an attack: nobody is told apart, all wait.
            return FAILED_CONNECT_DELAY_MAX;
        }
    }
    failures.insert(who, Failure { delay, last: now });
    delay
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_delay_doubles_up_to_its_bound_and_is_forgotten() {
        let (mut failures, now) = (Failures::new(), Instant::now());
        let delays: Vec<u128> = (0..8).map(|_| add(&mut failures, (HERE, 1), now).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(add(&mut failures, (HERE, 2), now), FAILED_CONNECT_DELAY_MIN);
        assert_eq!(
            add(&mut failures, (HERE, 1), now + FAILED_CONNECT_MEMORY),
            FAILED_CONNECT_DELAY_MIN
        );
    }

    #[test]
    fn success_starts_anew() {
        let failed = FailedConnects::default();
        failed.add(HERE, "d");
        assert_eq!(failed.add(HERE, "d"), FAILED_CONNECT_DELAY_MIN * 2);
        failed.forget(HERE, "d");
        assert_eq!(failed.add(HERE, "d"), FAILED_CONNECT_DELAY_MIN);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut failures, now) = (Failures::new(), Instant::now());
        for id in 0..FAILED_CONNECTS_TRACKED_MAX as u64 {
            add(&mut failures, (HERE, id), now);
        }
        assert_eq!(add(&mut failures, (HERE, u64::MAX), now), FAILED_CONNECT_DELAY_MAX);
        assert_eq!(failures.len(), FAILED_CONNECTS_TRACKED_MAX);
        let later = now + FAILED_CONNECT_MEMORY;
        assert_eq!(add(&mut failures, (HERE, u64::MAX), later), FAILED_CONNECT_DELAY_MIN);
        assert_eq!(failures.len(), 1);
    }
}
