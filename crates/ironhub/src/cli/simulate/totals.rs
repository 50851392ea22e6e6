//! What a simulation has done so far.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::cli::failure::Failure;
use crate::output::Output;

/// Counted by all devices.
#[derive(Debug)]
pub(super) struct Totals {
    devices: usize,
    began: Instant,
    failed_devices: AtomicUsize,
    counts: [AtomicU64; Count::ALL.len()],
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// Messages that were handed over to be sent.
    Sent,
    /// Messages that the hub has acknowledged.
    Acknowledged,
    /// Messages that were not acknowledged and never will be.
    Failed,
    /// Direct methods that were answered.
    Methods,
    /// Messages from the cloud that were settled.
    C2d,
    /// Changes of desired properties that were reported.
    Desired,
}

impl Count {
    const ALL: [Self; 6] = [
        Self::Sent,
        Self::Acknowledged,
        Self::Failed,
        Self::Methods,
        Self::C2d,
        Self::Desired,
    ];
}

impl Totals {
    pub(super) fn new(devices: usize) -> Self {
        Self {
            devices,
            began: Instant::now(),
            failed_devices: AtomicUsize::new(0),
            counts: Default::default(),
        }
    }

    pub(super) fn add(&self, what: Count) {
        self.count(what).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn device_failed(&self) {
        self.failed_devices.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed_devices(&self) -> usize {
        self.failed_devices.load(Ordering::Relaxed)
    }

    /// For a terminal, while it goes on.
    pub(super) fn line(&self) -> String {
        let [sent, acknowledged, failed, methods, c2d, desired] = Count::ALL.map(|what| self.of(what));
        let devices = self.devices;
        let failed = if failed == 0 {
            String::new()
        } else {
            format!(", failed {failed}")
        };
        format!(
            "devices {devices}, messages sent {sent}, acknowledged {acknowledged}{failed}, methods {methods}, messages from \
             the cloud {c2d}, desired changes {desired}"
        )
    }

    /// At the end.
    pub(super) fn print(&self, output: Output) -> Result<String, Failure> {
        Ok(match output {
            Output::Json => serde_json::to_string_pretty(&self.to_json())? + "\n",
            Output::Table => self.line() + "\n",
        })
    }

    fn to_json(&self) -> Value {
        let [sent, acknowledged, failed, methods, c2d, desired] = Count::ALL.map(|what| self.of(what));
        json!({
            "devices": self.devices,
            "failedDevices": self.failed_devices(),
            "messagesSent": sent,
            "messagesAcknowledged": acknowledged,
            "messagesFailed": failed,
            "methodsAnswered": methods,
            "c2dMessagesSettled": c2d,
            "desiredChangesReported": desired,
            "elapsedSeconds": self.began.elapsed().as_secs_f64(),
        })
    }

    fn of(&self, what: Count) -> u64 {
        self.count(what).load(Ordering::Relaxed)
    }

    fn count(&self, what: Count) -> &AtomicU64 {
        let [sent, acknowledged, failed, methods, c2d, desired] = &self.counts;
        match what {
            Count::Sent => sent,
            Count::Acknowledged => acknowledged,
            Count::Failed => failed,
            Count::Methods => methods,
            Count::C2d => c2d,
            Count::Desired => desired,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_for_itself() {
        let totals = Totals::new(2);
        for (times, what) in Count::ALL.into_iter().enumerate() {
            for _ in 0..=times {
                totals.add(what);
            }
        }
        assert_eq!(
            totals.line(),
            "devices 2, messages sent 1, acknowledged 2, failed 3, methods 4, messages from the cloud 5, desired changes 6"
        );
        let json = totals.to_json();
        assert_eq!(
            (&json["messagesFailed"], &json["desiredChangesReported"]),
            (&json!(3), &json!(6))
        );
    }
}
