//! `ironhub device`: what devices do and are sent.

use clap::Subcommand;

use super::c2d_message::{self, C2dMessageCommand};
use super::failure::Failure;
use super::send_d2c_message::{self, SendD2cMessageArgs};

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
}

pub(crate) async fn run(command: DeviceCommand) -> Result<(), Failure> {
    match command {
        DeviceCommand::C2dMessage(command) => c2d_message::run(command).await,
        DeviceCommand::SendD2cMessage(args) => send_d2c_message::run(*args).await,
    }
}
