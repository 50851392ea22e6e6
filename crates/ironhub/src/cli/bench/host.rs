//! The machine that a measurement ran on: a figure without it says nothing.

use std::fs;
use std::thread::available_parallelism;

use serde::Serialize;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Host {
    os: &'static str,
    arch: &'static str,
    /// Processors that this program may use.
    pub(super) cpus: usize,
    /// The processor's name, where the system tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<String>,
    /// The kernel's release, where the system tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
}

impl Host {
    pub(super) fn this() -> Self {
        Self {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpus: available_parallelism().map_or(1, usize::from),
            cpu: fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model(&text)),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .ok()
                .map(|release| release.trim().to_owned()),
        }
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        let cpu = self.cpu.as_deref().unwrap_or(self.arch);
        let kernel = self.kernel.as_deref().unwrap_or_default();
        format!("{} × {cpu}, {} {kernel}", self.cpus, self.os)
            .trim_end()
            .to_owned()
    }
}

fn model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_has_a_name() {
        assert_eq!(model("processor\t: 0\nmodel name\t: A B\n"), Some("A B".to_owned()));
        assert_eq!(model("processor\t: 0\n"), None);
    }
}
