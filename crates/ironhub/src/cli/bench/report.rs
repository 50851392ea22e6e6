//! What was seen, as JSON with documented members (docs/benchmarks.md) or as lines for people.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use ironhub_model::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::Benchmark;
use super::host::Host;
use super::load::{Load, Plan};
use super::machine::Machine;
use super::stage::Stage;
use crate::cli::failure::Failure;
use crate::output::{self, Output};

/// A generator that takes this share of all processors may be what bounds the figures.
const BUSY_SHARE: f64 = 0.75;

/// What a run was seen to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) elapsed: Duration,
    pub(super) counted: u64,
    pub(super) late: u64,
    pub(super) is_interrupted: bool,
    pub(super) is_cut_off: bool,
    /// Of this process and of the hub, in the time that counts.
    pub(super) cpu: [Option<Duration>; 2],
    /// None when the time that counts did not begin.
    pub(super) machine: Option<Machine>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    name: &'static str,
    version: &'static str,
    started_at: Timestamp,
    hub: String,
    host: Host,
    parameters: Value,
    warm_up_seconds: f64,
    duration_seconds: f64,
    interrupted: bool,
    operations: u64,
    rate_per_second: f64,
    /// TLS handshakes that resumed a session, where operations are handshakes.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<u64>,
    latency_us: Latency,
    late: u64,
    errors: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generator_cpu: Option<Cpu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hub_cpu: Option<Cpu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<Machine>,
}

#[derive(Debug, Serialize)]
struct Latency {
    min: u64,
    mean: f64,
    p50: u64,
    p90: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    /// Processors that were busy with it.
    cores: f64,
    /// Microseconds an operation.
    per_operation_us: f64,
}

impl Report {
    pub(super) fn new<B: Benchmark>(
        bench: &B,
        stage: &Stage,
        (started_at, plan): (Timestamp, &Plan),
        seen: Seen,
        load: &Load,
    ) -> Self {
        let seconds = seen.elapsed.as_secs_f64();
        let mut parameters = bench.parameters();
        if let Some(object) = parameters.as_object_mut() {
            object.insert("rate".to_owned(), plan.rate.map_or(Value::Null, Value::from));
        }
        let cpu = |time: Option<Duration>| time.map(|time| Cpu::of(time, seconds, seen.counted));
        let [generator, hub] = seen.cpu;
        let cut_off = seen
            .is_cut_off
            .then(|| "some operations had no answer at the end".to_owned());
        Self {
            name: B::NAME,
            version: env!("CARGO_PKG_VERSION"),
            started_at,
            hub: stage.hub.connection.host_name.clone(),
            host: Host::this(),
            parameters,
            warm_up_seconds: plan.warm_up.as_secs_f64(),
            duration_seconds: seconds,
            interrupted: seen.is_interrupted,
            operations: seen.counted,
            rate_per_second: per_second(seen.counted, seconds),
            resumed: B::MAKES_HANDSHAKES.then(|| load.counted_resumed()),
            latency_us: Latency::of(&load.recorder().histogram()),
            late: seen.late,
            errors: load.failures() + u64::from(seen.is_cut_off),
            first_error: load.first_failure().map(|error| error.to_string()).or(cut_off),
            generator_cpu: cpu(generator),
            hub_cpu: cpu(hub),
            machine: seen.machine,
        }
    }

    /// For people; `operations` says what was counted.
    fn to_text(&self, operations: &str) -> String {
        let mut text = String::new();
        let ms = |us: u64| figure(float(us) / 1000.0);
        let latency = &self.latency_us;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}: {} {operations} in {:.1} s: {}/s",
            self.name,
            self.operations,
            self.duration_seconds,
            figure(self.rate_per_second),
        );
        let _ = writeln!(
            text,
            "latency     p50 {} ms, p90 {} ms, p99 {} ms, p99.9 {} ms, longest {} ms",
            ms(latency.p50),
            ms(latency.p90),
            ms(latency.p99),
            ms(latency.p999),
            ms(latency.max),
        );
        if let Some(resumed) = self.resumed {
            let _ = writeln!(text, "resumed     {resumed} TLS sessions");
        }
        for (who, cpu) in [("generator", self.generator_cpu), ("hub", self.hub_cpu)] {
            if let Some(Cpu {
                cores,
                per_operation_us,
            }) = cpu
            {
                let per_operation = figure(per_operation_us);
                let _ = writeln!(text, "{who:<11} {cores:.2} cores, {per_operation} us CPU each");
            }
        }
        if let Some(machine) = self
            .machine
            .map(|machine| machine.describe())
            .filter(|text| !text.is_empty())
        {
            let _ = writeln!(text, "machine     {machine}");
        }
        let _ = writeln!(text, "parameters  {}", described(&self.parameters));
        let _ = writeln!(text, "hub         {}", self.hub);
        let _ = writeln!(text, "host        {}", self.host.describe());
        text += &self.remarks(operations);
        text
    }

    /// What makes the figures worth less than they look.
    fn remarks(&self, operations: &str) -> String {
        let mut text = String::new();
        if let Some(error) = &self.first_error {
            let _ = writeln!(text, "errors      {}, the first: {error}", self.errors);
        }
        if self.late > 0 {
            let late = self.late;
            let _ = writeln!(
                text,
                "late        {late} {operations} were due and not begun: the hub does not bear this rate"
            );
        }
        if self.interrupted {
            text += "interrupted before its end\n";
        }
        if let Some(stall) = self.machine.and_then(|machine| machine.stall()) {
            let _ = writeln!(text, "{stall}");
        }
        let all = float(self.host.cpus.try_into().unwrap_or(u64::MAX));
        if self.generator_cpu.is_some_and(|cpu| cpu.cores >= BUSY_SHARE * all) {
            text += "the generator keeps this machine busy: the figures may be its bounds and not the hub's\n";
        }
        text
    }
}

impl Latency {
    fn of(seen: &Histogram<u64>) -> Self {
        Self {
            min: seen.min(),
            mean: seen.mean(),
            p50: seen.value_at_quantile(0.5),
            p90: seen.value_at_quantile(0.9),
            p99: seen.value_at_quantile(0.99),
            p999: seen.value_at_quantile(0.999),
            max: seen.max(),
        }
    }
}

impl Cpu {
    fn of(time: Duration, seconds: f64, operations: u64) -> Self {
        Self {
            cores: ratio(time.as_secs_f64(), seconds),
            per_operation_us: ratio(time.as_secs_f64() * 1e6, float(operations)),
        }
    }
}

pub(super) fn print(report: &Report, output: Output, operations: &str) -> Result<(), Failure> {
    output::print(&match output {
        Output::Json => serde_json::to_string_pretty(report)? + "\n",
        Output::Table => report.to_text(operations),
    })?;
    Ok(())
}

pub(super) fn per_second(count: u64, seconds: f64) -> f64 {
    ratio(float(count), seconds)
}

/// 0 where there is nothing to divide by.
pub(super) fn ratio(what: f64, by: f64) -> f64 {
    if by > 0.0 { what / by } else { 0.0 }
}

/// Three digits that say something.
pub(super) fn figure(number: f64) -> String {
    match number {
        large if large >= 100.0 => format!("{large:.0}"),
        middling if middling >= 10.0 => format!("{middling:.1}"),
        small => format!("{small:.2}"),
    }
}

/// `connections 50, in flight 32`.
fn described(parameters: &Value) -> String {
    let members = parameters.as_object().into_iter().flatten();
    let shown = members.filter(|(_, value)| !value.is_null());
    let shown = shown.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name} {text}"),
        None => format!("{name} {value}"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::processors::Use;
    use super::*;

    fn report() -> Report {
        Report {
            name: "ingest",
            version: "0",
            started_at: Timestamp::UNIX_EPOCH,
            hub: "localhost".to_owned(),
            host: Host::this(),
            parameters: json!({ "connections": 50, "operation": "read", "rate": null }),
            warm_up_seconds: 2.0,
            duration_seconds: 10.0,
            interrupted: true,
            operations: 800_000,
            rate_per_second: 80_000.0,
            resumed: Some(799_950),
            latency_us: Latency {
                min: 900,
                mean: 20_100.0,
                p50: 19_050,
                p90: 30_000,
                p99: 41_000,
                p999: 55_000,
                max: 123_456,
            },
            late: 3,
            errors: 1,
            first_error: Some("the client is closed".to_owned()),
            generator_cpu: Some(Cpu {
                cores: 1e6,
                per_operation_us: 1.234,
            }),
            hub_cpu: None,
            machine: Some(Machine {
                processors: Some(Use {
                    busy_cores: 1.9,
                    stolen_cores: 0.25,
                    stolen_share: 0.125,
                }),
                timer_late_us: None,
            }),
        }
    }

    #[test]
    fn people_read_figures_and_what_they_are_worth() {
        let text = report().to_text("messages");
        for line in [
            "ingest: 800000 messages in 10.0 s: 80000/s\n",
            "latency     p50 19.1 ms, p90 30.0 ms, p99 41.0 ms, p99.9 55.0 ms, longest 123 ms\n",
            "resumed     799950 TLS sessions\n",
            "generator   1000000.00 cores, 1.23 us CPU each\n",
            "machine     1.90 cores busy, 0.25 stolen\n",
            "parameters  connections 50, operation read\n",
            "errors      1, the first: the client is closed\n",
            "late        3 messages were due and not begun",
            "interrupted before its end\n",
            "processor time was stolen from this machine",
            "the generator keeps this machine busy",
        ] {
            assert!(text.contains(line), "{line} not in:\n{text}");
        }
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert!(per_second(5, 0.0).abs() < f64::EPSILON);
        let cpu = Cpu::of(Duration::from_secs(1), 0.0, 0);
        assert!(cpu.cores.abs() + cpu.per_operation_us.abs() < f64::EPSILON);
    }
}
