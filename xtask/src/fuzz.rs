//! `cargo xtask fuzz`: a target of `fuzz/` under libFuzzer.
//!
//! Needs what the other commands do not: a nightly toolchain and cargo-fuzz. The corpora that are committed are replayed
//! by `cargo xtask test` without either.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{command, tally::Tally, workspace::Workspace};

/// Longest input: a few large frames; longer ones find nothing that these do not, and are slower.
const INPUT_BYTES_MAX: usize = 4096;

#[derive(Args)]
pub(crate) struct Options {
    /// The target, as `fuzz/src/lib.rs` lists them.
    target: String,
    /// How long to run, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Afterwards, add the inputs that reach code which the committed corpus does not to `fuzz/corpus`.
    #[arg(long)]
    distill: bool,
}

/// Runs the target. What it finds is kept in `target/fuzz`, with the input that shows it.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<Tally> {
    let found = workspace.target.join("fuzz").join(&options.target);
    let committed = workspace.root.join("fuzz/corpus").join(&options.target);
    fs::create_dir_all(&found).context("cannot make the corpus of this run")?;
    let time = format!("-max_total_time={}", options.seconds);
    let length = format!("-max_len={INPUT_BYTES_MAX}");
    let mut fuzz = cargo_fuzz(workspace, &options.target, [&found, &committed]);
    let finished = command::run(fuzz.args([&time, &length, "-print_final_stats=1"]))?;
    if options.distill && finished.success {
        let mut merge = cargo_fuzz(workspace, &options.target, [&committed, &found]);
        command::run(merge.arg("-merge=1"))?;
    }
    Ok(Tally::of_status(finished.success))
}

fn cargo_fuzz(workspace: &Workspace, target: &str, corpora: [&PathBuf; 2]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir", "."])
        .arg("--target-dir")
        .arg(workspace.target.join("fuzz/build"))
        .arg(target)
        .args(corpora)
        .arg("--")
        .arg("-artifact_prefix=./artifacts/")
        .current_dir(workspace.root.join("fuzz/libfuzzer"));
    command
}
