//! Keeps what strangers cause from filling the log.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

const LINES_PER_WINDOW_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

/// Lets a few lines of one kind pass in each ten seconds. What is held back is counted, and metrics count everything.
#[derive(Debug)]
pub(crate) struct LogLimit(Mutex<Window>);

#[derive(Debug)]
struct Window {
    /// `None` before the first line.
    ends_at: Option<Instant>,
    lines: u32,
}

impl LogLimit {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Window {
            ends_at: None,
            lines: 0,
        }))
    }

    /// May a line pass? If so, how many were held back before it.
    pub(crate) fn pass(&self) -> Option<u32> {
        self.0.lock().pass(Instant::now())
    }
}

impl Window {
    fn pass(&mut self, now: Instant) -> Option<u32> {
        if self.ends_at.is_none_or(|end| now >= end) {
            let held_back = self.lines.saturating_sub(LINES_PER_WINDOW_MAX);
            *self = Self {
                ends_at: Some(now + WINDOW),
                lines: 1,
            };
            return Some(held_back);
        }
        self.lines = self.lines.saturating_add(1);
        (self.lines <= LINES_PER_WINDOW_MAX).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_told_in_few_lines() {
        let mut window = Window {
            ends_at: None,
            lines: 0,
        };
        let start = Instant::now();
        let passed = (0..100).filter(|_| window.pass(start).is_some()).count();
        assert_eq!(passed, LINES_PER_WINDOW_MAX as usize);
        assert_eq!(window.pass(start + WINDOW), Some(90));
        assert_eq!(window.pass(start + WINDOW), Some(0));
    }
}
