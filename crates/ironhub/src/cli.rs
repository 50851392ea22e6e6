//! The verbs of `az iot hub`: everything that a person does with a hub over the network, this one or Azure's.
//!
//! One file per command group. A verb logs in ([`login`]), asks through `ironhub-client`, and prints its answer as JSON
//! or as a table ([`answer`]). What goes wrong is one line, a hint, and an exit code ([`failure`]).

mod answer;
mod assignment;
mod authentication;
mod bench;
mod c2d_message;
mod clock;
mod completions;
mod connection_string;
mod dev_hub;
mod device;
mod device_identity;
mod device_proof;
mod device_twin;
mod dice;
mod failure;
mod feedback_record;
mod fleet;
mod generate_sas_token;
mod interrupt;
mod invoke_method;
mod json_text;
mod login;
mod man;
mod message_body;
mod module_identity;
mod monitor_events;
mod monitor_feedback;
mod own_certificate;
mod pace;
mod progress;
mod property_list;
mod query;
mod renew_key;
mod secret;
mod send_d2c_message;
mod simulate;
mod table;
mod target;
mod text_encoding;
mod version;
mod watch;

use std::future::Future;

use clap::Subcommand;
use tokio::runtime::Builder;

pub(crate) use self::clock::now;
pub(crate) use self::dev_hub::runs as dev_hub_runs;
pub(crate) use self::dice::Dice;
pub(crate) use self::failure::Failure;
use self::target::{TargetDevice, TargetModule};

/// The verbs; each is named as in `az iot hub`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// How a back end connects
    #[command(subcommand)]
    ConnectionString(connection_string::ConnectionStringCommand),
    /// Device identities: who may connect
    #[command(subcommand)]
    DeviceIdentity(device_identity::DeviceIdentityCommand),
    /// Module identities: parts of a device with credentials and a twin of their own
    #[command(subcommand)]
    ModuleIdentity(module_identity::ModuleIdentityCommand),
    /// Twins of devices: tags, desired and reported properties
    #[command(subcommand)]
    DeviceTwin(device_twin::DeviceTwinCommand),
    /// Twins of modules
    #[command(subcommand)]
    ModuleTwin(device_twin::ModuleTwinCommand),
    /// Call a direct method of a device and print its answer
    #[command(
        after_help = "Example: ironhub invoke-device-method -d wind-17 --mn reboot --mp '{\"delay\": 5}' --to 10"
    )]
    InvokeDeviceMethod(invoke_method::InvokeArgs<TargetDevice>),
    /// Call a direct method of a module and print its answer
    #[command(after_help = "Example: ironhub invoke-module-method -d wind-17 -m gateway --mn restart")]
    InvokeModuleMethod(invoke_method::InvokeArgs<TargetModule>),
    /// What devices do and are sent
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Print events as devices send them
    #[command(after_help = "Examples:\n  \
        ironhub monitor-events -d 'wind-*' --props sys app --timeout 0\n  \
        ironhub monitor-events --et 1700000000000 --message-count 10 -o table")]
    MonitorEvents(Box<monitor_events::MonitorEventsArgs>),
    /// Print what becomes of messages to devices; it is then taken out of the hub's queue, also that of other devices
    #[command(after_help = "Example: ironhub monitor-feedback -d wind-17")]
    MonitorFeedback(monitor_feedback::MonitorFeedbackArgs),
    /// Make a SAS token
    #[command(after_help = "Examples:\n  \
        ironhub generate-sas-token -d wind-17 --duration 600\n  \
        ironhub generate-sas-token --connection-string 'HostName=…;DeviceId=…;SharedAccessKey=…'")]
    GenerateSasToken(generate_sas_token::GenerateSasTokenArgs),
    /// Print what makes a shell complete verbs and flags
    #[command(after_help = "Example: ironhub completions bash")]
    Completions(completions::CompletionsArgs),
    /// Print a manual page, or write all of them
    #[command(after_help = "Examples:\n  \
        ironhub man device-twin update\n  \
        ironhub man --dir /usr/local/share/man/man1")]
    Man(man::ManArgs),
    /// Ask for twins, module twins and the like that fit a condition
    #[command(after_help = "Example: ironhub query -q \"SELECT * FROM devices WHERE tags.site = 'north'\" -o table")]
    Query(query::QueryArgs),
    /// Measure a hub from outside, with devices that the measurement makes and removes
    #[command(subcommand)]
    Bench(bench::BenchCommand),
}

/// Does what was asked.
pub(crate) fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::ConnectionString(command) => on_one_thread(connection_string::run(command)),
        Verb::DeviceIdentity(command) => on_one_thread(device_identity::run(command)),
        Verb::ModuleIdentity(command) => on_one_thread(module_identity::run(command)),
        Verb::DeviceTwin(command) => on_one_thread(device_twin::run(command)),
        Verb::ModuleTwin(command) => on_one_thread(device_twin::run_for_module(command)),
        Verb::InvokeDeviceMethod(args) => on_one_thread(invoke_method::run(args)),
        Verb::InvokeModuleMethod(args) => on_one_thread(invoke_method::run_for_module(args)),
        Verb::Device(command) => device::run(command),
        Verb::MonitorEvents(args) => on_one_thread(monitor_events::run(*args)),
        Verb::MonitorFeedback(args) => on_one_thread(monitor_feedback::run(args)),
        Verb::GenerateSasToken(args) => on_one_thread(generate_sas_token::run(args)),
        Verb::Completions(args) => completions::run(&args),
        Verb::Man(args) => man::run(&args),
        Verb::Query(args) => on_one_thread(query::run(args)),
        Verb::Bench(command) => on_all_threads(bench::run(command)),
    }
}

/// Enough for whatever waits for one answer after the other.
fn on_one_thread(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A name that is still being looked up would hold the program.
    runtime.shutdown_background();
    done
}

/// For verbs that keep many connections busy.
fn on_all_threads(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use crate::Cli;

    /// As a shell takes a line apart, as far as examples need it.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for letter in line.chars() {
            match letter {
                '\'' | '"' if quote.is_none() => quote = Some(letter),
                _ if quote == Some(letter) => quote = None,
                ' ' if quote.is_none() => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words
    }

    fn examples(command: &Command) -> Vec<String> {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines = help.lines().map(|line| line.trim_start_matches("Example:").trim());
        lines
            .filter(|line| line.starts_with("ironhub "))
            .map(str::to_owned)
            .collect()
    }

    fn check(command: &Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        let mut below = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .peekable();
        if below.peek().is_some() {
            below.for_each(|command| check(command, &path));
            return;
        }
        let examples = examples(command);
        assert!(!examples.is_empty(), "{path} --help has no example");
        for example in examples {
            assert!(example.starts_with(path.trim()), "{example} is no example of {path}");
            if let Err(error) = Cli::try_parse_from(words(&example)) {
                panic!("{example}: {error}");
            }
        }
    }

    #[test]
    fn each_verb_has_an_example_that_is_one() {
        Cli::command().debug_assert();
        check(&Cli::command(), "");
    }
}
