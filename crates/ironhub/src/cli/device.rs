//! `ironhub device`: what devices do and are sent.

use clap::Subcommand;

use super::c2d_message::{self, C2dMessageCommand};
use super::failure::Failure;
use super::send_d2c_message::{self, SendD2cMessageArgs};
use super::simulate::{self, SimulateArgs};
use super::{on_all_threads, on_one_thread};

/// The commands of `ironhub device`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Messages from the cloud to a device
    #[command(subcommand)]
    C2dMessage(C2dMessageCommand),
    /// Send telemetry in a device's name; where the device is connected it has to connect again
    #[command(after_help = "Examples:\n  \
        ironhub device send-d2c-message -d wind-17\n  \
        ironhub device send-d2c-message -d wind-17 --data '{\"windSpeed\": 11.5}' --props '$.ct=application/json;$.ce=utf-8'")]
    SendD2cMessage(Box<SendD2cMessageArgs>),
    /// Simulate devices: they send telemetry, answer methods, report their twins and take messages from the cloud
    #[command(after_help = "Examples:\n  \
        ironhub device simulate -d wind-17 --data '{\"windSpeed\": {random 2 14.5}}'\n  \
        ironhub device simulate --devices 1000 --create --rate 200 --msg-count 0")]
    Simulate(Box<SimulateArgs>),
}

pub(crate) fn run(command: DeviceCommand) -> Result<(), Failure> {
    match command {
        DeviceCommand::C2dMessage(command) => on_one_thread(c2d_message::run(command)),
        DeviceCommand::SendD2cMessage(args) => on_one_thread(send_d2c_message::run(*args)),
        DeviceCommand::Simulate(args) => on_all_threads(simulate::run(*args)),
    }
}
