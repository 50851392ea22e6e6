//! Processor time of processes on this machine, where the system tells it under `/proc` (Linux).

use std::fs;
use std::time::Duration;

/// Ticks of `/proc` in a second: fixed in Linux's interface to programs, whatever the kernel counts with.
pub(super) const TICKS_PER_SECOND: u64 = 100;

#[derive(Debug)]
pub(super) struct Process(String);

/// User and system time since a process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CpuTime(u64);

impl Process {
    pub(super) fn own() -> Self {
        Self("/proc/self/stat".to_owned())
    }

    pub(super) fn of(pid: u32) -> Self {
        Self(format!("/proc/{pid}/stat"))
    }

    /// None where there is no such process, or another system.
    pub(super) fn cpu(&self) -> Option<CpuTime> {
        ticks(&fs::read_to_string(&self.0).ok()?).map(CpuTime)
    }
}

impl CpuTime {
    /// None where one of them is not known.
    pub(super) fn between(before: Option<Self>, after: Option<Self>) -> Option<Duration> {
        let ticks = after?.0.saturating_sub(before?.0);
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    }
}

/// The 14th and 15th field of `proc_pid_stat(5)`. The second is a name in brackets that may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let (user, system) = (times.next()?, times.next()?);
    Some(user.parse::<u64>().ok()? + system.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 31 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks(stat), Some(281));
        for bad in ["", "7 (a", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 100 0 0 0 x 31"] {
            assert_eq!(ticks(bad), None, "{bad}");
        }
    }

    #[test]
    fn time_passes() {
        let passed = CpuTime::between(Some(CpuTime(100)), Some(CpuTime(281)));
        assert_eq!(passed, Some(Duration::from_millis(1810)));
        assert_eq!(CpuTime::between(None, Some(CpuTime(1))), None);
    }
}
