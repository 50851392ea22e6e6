use std::time::{Duration, Instant};

/// When to say something, and when to give up on a silent peer (AMQP 1.0 part 2, §2.4.5).
#[derive(Debug)]
pub(crate) struct Heartbeat {
    heard: Instant,
    sent: Instant,
    send_every: Option<Duration>,
    give_up_after: Option<Duration>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// Send an empty frame.
    Send,
    /// The peer is gone.
    GiveUp,
}

impl Heartbeat {
    /// Our own time-out is `idle_time_out`: after twice that without a byte the peer is gone, as peers may wait up to the
    /// whole of it between two frames.
    pub(crate) fn new(idle_time_out: Option<Duration>, now: Instant) -> Self {
        Self {
            heard: now,
            sent: now,
            send_every: None,
            give_up_after: idle_time_out.map(|time| time * 2),
        }
    }

    /// The peer gives up after `idle_time_out_ms`. We speak after half of it: uamqp-c closes when it heard nothing for
    /// exactly its whole time.
    pub(crate) fn set_peer_time_out(&mut self, idle_time_out_ms: Option<u32>) {
        const EVERY_MIN: Duration = Duration::from_millis(100);
        let half = |ms: u32| Duration::from_millis(u64::from(ms) / 2).max(EVERY_MIN);
        self.send_every = idle_time_out_ms.filter(|ms| *ms > 0).map(half);
    }

    pub(crate) fn handle_received(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(crate) fn handle_sent(&mut self, now: Instant) {
        self.sent = now;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let send = self.send_every.map(|every| self.sent + every);
        let give_up = self.give_up_after.map(|after| self.heard + after);
        send.into_iter().chain(give_up).min()
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        if self.give_up_after.is_some_and(|after| now >= self.heard + after) {
            return Due::GiveUp;
        }
        if self.send_every.is_some_and(|every| now >= self.sent + every) {
            Due::Send
        } else {
            Due::Nothing
        }
    }
}
