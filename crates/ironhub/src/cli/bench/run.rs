//! The course of a measurement: devices are made, the load runs and is watched, the devices go again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at};

use super::Benchmark;
use super::cpu::{CpuTime, Process};
use super::load::Load;
use super::machine::MachineProbe;
use super::report::{self, Report, Seen};
use super::stage::Stage;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::Progress;

/// How long operations that are under way at the end may take.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) async fn run<B: Benchmark>(bench: B) -> Result<(), Failure> {
    let common = bench.common();
    if let Some(pid) = common.hub_pid
        && Process::of(pid).cpu().is_none()
    {
        let message = format!("--hub-pid {pid}: no such process, or this system does not tell its processor time");
        return Err(Failure::usage(message));
    }
    let mut interrupt = Interrupt::listen()?;
    let mut stage = Stage::open(common)?;
    let measured = tokio::select! {
        measured = measure(&bench, &mut stage, interrupt.clone()) => measured,
        () = interrupt.insisted() => Err(Failure::failed("interrupted")),
    };
    stage.clear(interrupt).await;
    let report = measured?;
    report::print(&report, common.output, B::OPERATIONS)
}

async fn measure<B: Benchmark>(bench: &B, stage: &mut Stage, mut interrupt: Interrupt) -> Result<Report, Failure> {
    let set_up = async {
        stage.register(bench.devices()).await?;
        bench.set_up(stage).await
    };
    let launch = tokio::select! {
        launch = set_up => launch?,
        () = interrupt.asked() => return Err(Failure::failed("interrupted before anything was measured")),
    };
    let common = bench.common();
    let plan = common.plan(bench.rate());
    let started_at = crate::cli::clock::now();
    let load = Arc::new(Load::new(&plan));
    let watch = Watch {
        load: Arc::clone(&load),
        progress: &stage.progress,
        title: format!("{} {}", B::NAME, B::OPERATIONS),
        processes: [Some(Process::own()), common.hub_pid.map(Process::of)],
    };
    let seen = watch.until_over(launch(&load), interrupt).await;
    if seen.counted == 0
        && let Some(error) = load.first_failure()
    {
        return Err(error.into());
    }
    Ok(Report::new::<B>(bench, stage, (started_at, &plan), seen, &load))
}

/// Follows a load from begin to end.
struct Watch<'a> {
    load: Arc<Load>,
    progress: &'a Progress,
    title: String,
    /// This one, and the hub where that is known.
    processes: [Option<Process>; 2],
}

impl Watch<'_> {
    async fn until_over(self, mut tasks: JoinSet<()>, mut interrupt: Interrupt) -> Seen {
        let load = &self.load;
        let mut before = self.cpu();
        let mut machine = (load.begin <= Instant::now()).then(MachineProbe::begin);
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = sleep_until(load.begin), if machine.is_none() => {
                    before = self.cpu();
                    machine = Some(MachineProbe::begin());
                }
                () = end_of(load) => break,
                () = interrupt.asked() => break,
                ended = tasks.join_next() => if ended.is_none() { break },
                _ = ticks.tick() => self.show(),
            }
        }
        load.stop();
        let end = load.end().map_or_else(Instant::now, |end| end.min(Instant::now()));
        let cpu = self.cpu();
        let late = load.late(end);
        let machine = match machine {
            Some(probe) => Some(probe.end().await),
            None => None,
        };
        // What is under way still counts when its answer comes.
        let until = end + DRAIN_WAIT_MAX;
        while let Ok(Some(_)) = timeout_at(until, tasks.join_next()).await {}
        let unanswered = !tasks.is_empty();
        tasks.shutdown().await;
        self.progress.clear();
        Seen {
            elapsed: end.saturating_duration_since(load.begin),
            counted: load.counted(),
            late,
            is_interrupted: interrupt.is_asked(),
            is_cut_off: unanswered,
            cpu: std::array::from_fn(|which| CpuTime::between(*before.get(which)?, *cpu.get(which)?)),
            machine,
        }
    }

    fn cpu(&self) -> [Option<CpuTime>; 2] {
        self.processes.each_ref().map(|process| process.as_ref()?.cpu())
    }

    fn show(&self) {
        let load = &self.load;
        if !self.progress.is_shown() {
            return;
        }
        let now = Instant::now();
        if now < load.begin {
            return self.progress.show(&format!("{}: warming up", self.title));
        }
        let seconds = (now - load.begin).as_secs_f64();
        let failures = match load.failures() {
            0 => String::new(),
            failures => format!(", {failures} failed"),
        };
        self.progress.show(&format!(
            "{}: {} in {seconds:.0} s, {:.0}/s{failures}",
            self.title,
            load.counted(),
            report::per_second(load.counted(), seconds),
        ));
    }
}

/// Never, where the run is not a matter of time.
async fn end_of(load: &Load) {
    match load.end() {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
