//! What the machine itself did to a measurement: latencies that are seen on a shared virtual machine are bounded by the
//! processor time that it is not given.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::processors::{Processors, Use};
use super::report::figure;
use super::timer::{INTERVAL_MS, Lateness, TimerProbe};

/// A hypervisor takes processors away for milliseconds at a time. When it has this share of them, each hundredth
/// operation has met it, and the 99 % are the hypervisor's.
const STOLEN_SHARE_MAX: f64 = 0.02;
/// An operation waits for several threads to wake, one after the other, in generator and hub: when one bare timer in a
/// hundred is this late, latencies of a few milliseconds are the machine's.
const TIMER_LATE_P99_US_MAX: u64 = 2000;

/// Follows the machine in the time that counts.
#[derive(Debug)]
pub(super) struct MachineProbe {
    began: Instant,
    processors: Option<Processors>,
    timer: Option<TimerProbe>,
}

/// What was seen of it.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    /// Where the system tells it.
    #[serde(flatten)]
    pub(super) processors: Option<Use>,
    /// Of timers of a few milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timer_late_us: Option<Lateness>,
}

impl MachineProbe {
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            processors: Processors::now(),
            timer: TimerProbe::begin(),
        }
    }

    pub(super) async fn end(self) -> Machine {
        let seconds = self.began.elapsed().as_secs_f64();
        let processors = self.processors.zip(Processors::now());
        Machine {
            processors: processors.and_then(|(before, after)| after.used_since(before, seconds)),
            timer_late_us: match self.timer {
                Some(timer) => timer.end().await,
                None => None,
            },
        }
    }
}

impl Machine {
    /// For people; empty when nothing is known.
    pub(super) fn describe(&self) -> String {
        let processors = self
            .processors
            .map(|used| format!("{:.2} cores busy, {:.2} stolen", used.busy_cores, used.stolen_cores));
        let timer = self.timer_late_us.map(|late| {
            let ms = |us| figure(Duration::from_micros(us).as_secs_f64() * 1e3);
            let (p99, max) = (ms(late.p99), ms(late.max));
            format!("a {INTERVAL_MS} ms timer late by p99 {p99} ms, longest {max} ms")
        });
        let parts: Vec<_> = processors.into_iter().chain(timer).collect();
        parts.join(", ")
    }

    /// Why latencies say little about the hub, if so.
    pub(super) fn stall(&self) -> Option<&'static str> {
        if self.processors.is_some_and(|used| used.stolen_share > STOLEN_SHARE_MAX) {
            return Some("processor time was stolen from this machine: latencies say little about the hub");
        }
        let is_late = self.timer_late_us.is_some_and(|late| late.p99 > TIMER_LATE_P99_US_MAX);
        is_late.then_some("this machine held up a bare timer as well: latencies say little about the hub")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CALM: Use = Use {
        busy_cores: 1.5,
        stolen_cores: 0.04,
        stolen_share: 0.02,
    };
    const ROBBED: Use = Use {
        busy_cores: 1.5,
        stolen_cores: 0.05,
        stolen_share: 0.025,
    };
    const PROMPT: Lateness = Lateness {
        p50: 58,
        p99: 2000,
        max: 12_345,
    };
    const LATE: Lateness = Lateness { p99: 2001, ..PROMPT };

    #[track_caller]
    fn check(processors: Option<Use>, timer_late_us: Option<Lateness>, line: &str, remark: &str) {
        let machine = Machine {
            processors,
            timer_late_us,
        };
        assert_eq!(machine.describe(), line);
        let stall = machine.stall().unwrap_or_default();
        assert!(
            stall.starts_with(remark) && stall.is_empty() == remark.is_empty(),
            "{stall}"
        );
    }

    #[test]
    fn people_read_what_the_machine_held_up() {
        let timer = "a 5 ms timer late by p99 2.00 ms, longest 12.3 ms";
        let calm = format!("1.50 cores busy, 0.04 stolen, {timer}");
        check(Some(CALM), Some(PROMPT), &calm, "");
        check(Some(CALM), Some(LATE), &calm, "this machine held up a bare timer");
        check(
            Some(ROBBED),
            None,
            "1.50 cores busy, 0.05 stolen",
            "processor time was stolen",
        );
        check(None, Some(PROMPT), timer, "");
        check(None, None, "", "");
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let json = |processors, timer_late_us| {
            let machine = Machine {
                processors,
                timer_late_us,
            };
            serde_json::to_value(machine).unwrap()
        };
        let late = json!({ "p50": 58, "p99": 2000, "max": 12_345 });
        assert_eq!(
            json(Some(CALM), Some(PROMPT)),
            json!({ "busyCores": 1.5, "stolenCores": 0.04, "timerLateUs": late })
        );
        assert_eq!(json(None, Some(PROMPT)), json!({ "timerLateUs": late }));
        assert_eq!(json(None, None), json!({}));
    }
}
