//! A hub under load is killed at random instants, again and again, and keeps everything that it has acknowledged.
//!
//! Each feature has a file with its load and its ledger: what was sent, what was acknowledged. After each restart the
//! ledgers are compared with what the hub then says. Hubs whose disk is full or fails are here too.
//! `IRONHUB_TEST_CRASH_ROUNDS` asks for more rounds, `IRONHUB_TEST_CRASH_SEED` repeats the dice of a run, though not its
//! timing. `IRONHUB_TEST_READER_EVENTS` asks for more events that readers over AMQP see.

#[cfg(test)]
#[path = "../../benches/load/amqp.rs"]
mod amqp;
#[cfg(test)]
mod c2d;
#[cfg(test)]
mod device;
#[cfg(test)]
mod dice;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod disk;
#[cfg(test)]
mod events;
#[cfg(test)]
mod hub_process;
#[cfg(test)]
mod nothing_lost;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod round;
#[cfg(test)]
mod service;
#[cfg(test)]
mod subscription;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod twin;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::dice::Dice;
    use crate::nothing_lost;
    use crate::round::Run;

    const ROUNDS_DEFAULT: u32 = 20;
    const READER_EVENTS_DEFAULT: u64 = 10_000;
    /// Ten times what a hundred thousand events take.
    const READER_RUN_MAX: Duration = Duration::from_mins(20);
    /// Ten times what a round takes.
    const ROUND_MAX: Duration = Duration::from_mins(1);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_acknowledged_outlives_the_hub() {
        let rounds = number("IRONHUB_TEST_CRASH_ROUNDS").map_or(ROUNDS_DEFAULT, |rounds| rounds.try_into().unwrap());
        let seed = number("IRONHUB_TEST_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("{rounds} rounds, IRONHUB_TEST_CRASH_SEED={seed}");
        let directory = tempfile::tempdir().unwrap();
        let mut run = Run::new(directory.path(), Dice::new(seed));
        for round in 1..=rounds {
            let line = tokio::time::timeout(ROUND_MAX, run.round(round)).await;
            println!("round {round}: {}", line.expect("a round has hung"));
        }
        let summary = tokio::time::timeout(ROUND_MAX * 5, run.finish())
            .await
            .expect("the end has hung");
        println!("{summary}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_disk_holds_everything_up_and_loses_nothing() {
        crate::disk::check_full().await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failing_disk_ends_the_hub_before_anything_is_acknowledged() {
        for call in ["sync", "write"] {
            for file in ["/data/log/", "/data/state.sqlite"] {
                crate::disk::check_failing(call, file).await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn readers_that_are_cut_see_every_event_once() {
        let events = number("IRONHUB_TEST_READER_EVENTS").unwrap_or(READER_EVENTS_DEFAULT);
        let seed = number("IRONHUB_TEST_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("{events} events, IRONHUB_TEST_CRASH_SEED={seed}");
        let directory = tempfile::tempdir().unwrap();
        let run = nothing_lost::run(directory.path(), events, Dice::new(seed));
        let summary = tokio::time::timeout(READER_RUN_MAX, run)
            .await
            .expect("the run has hung");
        println!("{summary}");
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how long a run is asked for: no setting of the hub"
    )]
    fn number(variable: &str) -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(
            text.parse()
                .unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
        )
    }
}
