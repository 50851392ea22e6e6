//! What this machine's processors did, of all programs together, where the system tells it in `/proc/stat` (Linux).

use std::fs;

use serde::Serialize;

use super::cpu::TICKS_PER_SECOND;
use super::report::{float, ratio};

/// Time that passed since the machine's start, summed over its processors, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Processors {
    busy: u64,
    idle: u64,
    stolen: u64,
}

/// What they did in a stretch of time, in processors.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Use {
    /// Ran programs or the kernel, of this virtual machine.
    pub(super) busy_cores: f64,
    /// Had something to run, and the hypervisor ran something else.
    pub(super) stolen_cores: f64,
    /// The same as a part of all the time that there was.
    #[serde(skip)]
    pub(super) stolen_share: f64,
}

impl Processors {
    /// None on another system.
    pub(super) fn now() -> Option<Self> {
        parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    /// None where the system did not count: sandboxes show zeros.
    pub(super) fn used_since(self, before: Self, seconds: f64) -> Option<Use> {
        let busy = self.busy.saturating_sub(before.busy);
        let idle = self.idle.saturating_sub(before.idle);
        let stolen = self.stolen.saturating_sub(before.stolen);
        let all = busy + idle + stolen;
        let cores = |ticks: u64| ratio(float(ticks) / float(TICKS_PER_SECOND), seconds);
        (all > 0).then(|| Use {
            busy_cores: cores(busy),
            stolen_cores: cores(stolen),
            stolen_share: ratio(float(stolen), float(all)),
        })
    }
}

/// The first line of `proc_stat(5)`: user, nice, system, idle, iowait, irq, softirq, steal. What follows are parts of
/// user and nice. Kernels before 2.6.11 do not tell what was stolen.
fn parse(stat: &str) -> Option<Processors> {
    let mut fields = stat.lines().next()?.split_whitespace();
    if fields.next() != Some("cpu") {
        return None;
    }
    let mut next = || fields.next()?.parse::<u64>().ok();
    let [user, nice, system] = [next()?, next()?, next()?];
    let [idle, waits_for_disk] = [next()?, next()?];
    let [interrupts, soft_interrupts, stolen] = [next()?, next()?, next()?];
    Some(Processors {
        busy: user + nice + system + interrupts + soft_interrupts,
        idle: idle + waits_for_disk,
        stolen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stat: &str, expected: Option<[u64; 3]>) {
        let found = parse(stat).map(|found| [found.busy, found.idle, found.stolen]);
        assert_eq!(found, expected, "{stat}");
    }

    #[test]
    fn the_first_line_sums_all_processors() {
        check(
            "cpu  100 20 30 4000 50 6 7 8 90 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n",
            Some([163, 4050, 8]),
        );
        check("cpu 1 2 3 4 5 6 7 8", Some([19, 9, 8]));
        check("cpu 1 2 3 4 5 6 7", None);
        check("cpu 1 2 3 4 5 6 7 x", None);
        check("cpu0 1 2 3 4 5 6 7 8", None);
        check("", None);
    }

    #[track_caller]
    fn check_use(ticks: [u64; 3], seconds: f64, expected: Option<[f64; 3]>) {
        let before = Processors {
            busy: 1000,
            idle: 2000,
            stolen: 3000,
        };
        let [busy, idle, stolen] = ticks;
        let after = Processors { busy, idle, stolen };
        let used = after.used_since(before, seconds);
        let found = used.map(|used| [used.busy_cores, used.stolen_cores, used.stolen_share]);
        assert_eq!(found, expected, "{ticks:?}");
    }

    #[test]
    fn ticks_become_processors() {
        check_use([1200, 2150, 3050], 2.0, Some([1.0, 0.25, 0.125]));
        check_use([1200, 2000, 3000], 2.0, Some([1.0, 0.0, 0.0]));
        check_use([1000, 2000, 3000], 2.0, None); // Nothing is counted.
        check_use([900, 2100, 2999], 1.0, Some([0.0, 0.0, 0.0])); // Counters of a processor that was taken away.
    }
}
