//! The only clock of the tool: how long something took, and asking again until something is so.

use std::{
    fmt,
    time::{Duration, Instant},
};

use anyhow::Result;

/// Pause between two looks at a file or a process.
const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Measures how long a stage takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures the run itself; there is no async runtime here to pause"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Elapsed {
        Elapsed(self.0.elapsed())
    }
}

/// A duration as people read it: `8.4 s`, `2 min 05 s`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elapsed(Duration);

impl fmt::Display for Elapsed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let text = if seconds < 60 {
            format!("{:.1} s", self.0.as_secs_f64())
        } else {
            format!("{} min {:02} s", seconds / 60, seconds % 60)
        };
        out.pad(&text)
    }
}

/// Asks `look` until it has an answer; `None` when `limit` is over first.
#[expect(
    clippy::disallowed_methods,
    reason = "other processes tell us nothing: we look again until they are done"
)]
pub(crate) fn until<T>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(answer) = look()? {
            return Ok(Some(answer));
        }
        if stopwatch.0.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(POLL_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_read_them() {
        assert_eq!(Elapsed(Duration::from_millis(8_440)).to_string(), "8.4 s");
        assert_eq!(Elapsed(Duration::from_secs(125)).to_string(), "2 min 05 s");
    }

    #[test]
    fn looks_once_more_than_it_waits() -> Result<()> {
        let mut looks = 0;
        let answer = until(Duration::ZERO, || {
            looks += 1;
            Ok(None::<()>)
        })?;
        assert_eq!((answer, looks), (None, 1));
        assert_eq!(until(Duration::ZERO, || Ok(Some(7)))?, Some(7));
        Ok(())
    }
}
