//! When silence means that the peer is gone (MQTT 3.1.1, 3.1.2.10).

use std::time::{Duration, Instant};

/// The deadline for a client's next packet; it stands still while the server itself does not read.
#[derive(Debug, Clone)]
pub struct KeepAlive {
    grace: Duration,
    timer: Timer,
}

#[derive(Debug, Clone, Copy)]
enum Timer {
    Running { deadline: Instant },
    Paused { left: Duration },
}

impl KeepAlive {
    /// Starts with the CONNECT's keep alive in seconds and the longest silence the server allows anyone.
    ///
    /// A client that promises nothing (0), or less than the server demands, is held to `silence_max`.
    pub fn new(keep_alive_s: u16, silence_max: Duration, now: Instant) -> Self {
        let grace = match Duration::from_secs(keep_alive_s.into()) {
            Duration::ZERO => silence_max,
            interval => silence_max.min(interval + interval / 2), // [MQTT-3.1.2-24]: one and a half times the interval.
        };
        Self {
            grace,
            timer: Timer::Running { deadline: now + grace },
        }
    }

    /// How long the client may be silent.
    pub fn grace(&self) -> Duration {
        self.grace
    }

    /// Any packet from the client starts the time anew.
    pub fn handle_packet(&mut self, now: Instant) {
        self.timer = match self.timer {
            Timer::Running { .. } => Timer::Running {
                deadline: now + self.grace,
            },
            Timer::Paused { .. } => Timer::Paused { left: self.grace },
        };
    }

    /// The server stops reading: what the client sends meanwhile cannot be seen, so its time stands still.
    pub fn pause(&mut self, now: Instant) {
        if let Timer::Running { deadline } = self.timer {
            self.timer = Timer::Paused {
                left: deadline.saturating_duration_since(now),
            };
        }
    }

    /// The server reads again: the client has the time that it had left.
    pub fn resume(&mut self, now: Instant) {
        if let Timer::Paused { left } = self.timer {
            self.timer = Timer::Running { deadline: now + left };
        }
    }

    /// When to look again; `None` while paused.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.timer {
            Timer::Running { deadline } => Some(deadline),
            Timer::Paused { .. } => None,
        }
    }

    /// Whether the client has been silent for too long; never while paused.
    pub fn is_expired(&self, now: Instant) -> bool {
        self.poll_timeout().is_some_and(|deadline| now >= deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure of "Communicate with an IoT hub using the MQTT protocol": 29.45 minutes.
    const SILENCE_MAX: Duration = Duration::from_secs(1767);

    #[expect(
        clippy::disallowed_methods,
        reason = "any instant serves as the origin; tests add to it"
    )]
    fn origin() -> Instant {
        Instant::now()
    }

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn grace_is_one_and_a_half_intervals_up_to_the_servers_limit() {
        let check = |keep_alive_s, expected: Duration| {
            let now = origin();
            let keep_alive = KeepAlive::new(keep_alive_s, SILENCE_MAX, now);
            assert_eq!(keep_alive.grace(), expected, "keep alive of {keep_alive_s} s");
            assert_eq!(keep_alive.poll_timeout(), Some(now + expected));
            assert!(!keep_alive.is_expired(now + expected.saturating_sub(Duration::from_nanos(1))));
            assert!(keep_alive.is_expired(now + expected));
        };
        check(0, SILENCE_MAX);
        check(1, Duration::from_millis(1500));
        check(60, secs(90));
        check(240, secs(360));
        check(1177, Duration::from_millis(1_765_500));
        check(1178, secs(1767));
        check(1179, SILENCE_MAX);
        check(65_535, SILENCE_MAX);
    }

    #[test]
    fn a_packet_starts_the_time_anew() {
        let now = origin();
        let mut keep_alive = KeepAlive::new(60, SILENCE_MAX, now);
        keep_alive.handle_packet(now + secs(80));
        assert!(!keep_alive.is_expired(now + secs(169)));
        assert!(keep_alive.is_expired(now + secs(170)));
    }

    #[test]
    fn time_stands_still_while_paused() {
        let now = origin();
        let mut keep_alive = KeepAlive::new(60, SILENCE_MAX, now);
        keep_alive.pause(now + secs(80));
        assert_eq!(keep_alive.poll_timeout(), None);
        assert!(!keep_alive.is_expired(now + secs(1000)));
        // A second pause or resume changes nothing.
        keep_alive.pause(now + secs(85));
        keep_alive.resume(now + secs(1000));
        keep_alive.resume(now + secs(2000));
        assert_eq!(keep_alive.poll_timeout(), Some(now + secs(1010)));
    }

    #[test]
    fn a_packet_handled_while_paused_counts() {
        let now = origin();
        let mut keep_alive = KeepAlive::new(60, SILENCE_MAX, now);
        keep_alive.pause(now + secs(89));
        keep_alive.handle_packet(now + secs(100));
        assert_eq!(keep_alive.poll_timeout(), None);
        keep_alive.resume(now + secs(100));
        assert_eq!(keep_alive.poll_timeout(), Some(now + secs(190)));
    }

    #[test]
    fn a_deadline_missed_before_the_pause_stays_missed() {
        let now = origin();
        let mut keep_alive = KeepAlive::new(60, SILENCE_MAX, now);
        keep_alive.pause(now + secs(95));
        keep_alive.resume(now + secs(200));
        assert!(keep_alive.is_expired(now + secs(200)));
    }
}
