//! `ironhub device c2d-message`: messages to devices, from both ends of the queue.

mod received;
mod send;

use std::time::Duration;

use clap::{Args, Subcommand};
use ironhub_client::Settlement;
use ironhub_model::{DeviceId, LockToken};
use serde_json::json;

pub(crate) use self::send::SendArgs;
use super::answer::Form;
use super::failure::Failure;
use super::login::Login;
use crate::output;

/// The commands of `ironhub device c2d-message`.
#[derive(Debug, Subcommand)]
pub(crate) enum C2dMessageCommand {
    /// Send a message to a device
    #[command(after_help = "Examples:\n  \
        ironhub device c2d-message send -d wind-17 --data 'turn north' --props 'priority=high;by=shift 2'\n  \
        ironhub device c2d-message send -d wind-17 --ack full --wait --timeout 60")]
    Send(Box<SendArgs>),
    /// Lock the oldest message in a device's queue, in the device's place, and print it
    #[command(after_help = "Example: ironhub device c2d-message receive -d wind-17 --complete")]
    Receive(ReceiveArgs),
    /// Take a received message out of the queue
    #[command(
        after_help = "Example: ironhub device c2d-message complete -d wind-17 --etag 27b2e4d1-6b4c-4b9e-9d1a-2f0c7a1e5b36"
    )]
    Complete(SettleArgs),
    /// Put a received message back into the queue
    #[command(
        after_help = "Example: ironhub device c2d-message abandon -d wind-17 --etag 27b2e4d1-6b4c-4b9e-9d1a-2f0c7a1e5b36"
    )]
    Abandon(SettleArgs),
    /// Take a received message out of the queue as one that the device did not want
    #[command(
        after_help = "Example: ironhub device c2d-message reject -d wind-17 --etag 27b2e4d1-6b4c-4b9e-9d1a-2f0c7a1e5b36"
    )]
    Reject(SettleArgs),
    /// Empty a device's queue
    #[command(after_help = "Example: ironhub device c2d-message purge -d wind-17")]
    Purge(PurgeArgs),
}

/// The flags of `receive`.
#[derive(Debug, Args)]
pub(crate) struct ReceiveArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: DeviceId,
    /// For how many seconds nobody else receives the message
    #[arg(long, visible_alias = "lt", value_name = "SECONDS", default_value_t = 60)]
    lock_timeout: u64,
    #[command(flatten)]
    ack: ReceiveAck,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

/// What becomes of the message when it was received.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct ReceiveAck {
    /// Complete the message when it was received
    #[arg(long)]
    complete: bool,
    /// Abandon the message when it was received
    #[arg(long)]
    abandon: bool,
    /// Reject the message when it was received
    #[arg(long)]
    reject: bool,
}

/// The flags of `complete`, `abandon` and `reject`.
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: DeviceId,
    /// The lock that `receive` printed as `etag`
    #[arg(long, short = 'e', value_name = "ETAG", value_parser = lock_token)]
    etag: LockToken,
    #[command(flatten)]
    login: Login,
}

/// The flags of `purge`.
#[derive(Debug, Args)]
pub(crate) struct PurgeArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: DeviceId,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(crate) async fn run(command: C2dMessageCommand) -> Result<(), Failure> {
    match command {
        C2dMessageCommand::Send(args) => send::run(*args).await,
        C2dMessageCommand::Receive(args) => receive(args).await,
        C2dMessageCommand::Complete(args) => settle(args, Settlement::Complete).await,
        C2dMessageCommand::Abandon(args) => settle(args, Settlement::Abandon).await,
        C2dMessageCommand::Reject(args) => settle(args, Settlement::Reject).await,
        C2dMessageCommand::Purge(args) => purge(args).await,
    }
}

async fn receive(args: ReceiveArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let lock = Duration::from_secs(args.lock_timeout);
    let Some(message) = service.receive_c2d(&args.device_id, Some(lock)).await? else {
        output::note(&format!("no message waits for {}", args.device_id));
        return Ok(());
    };
    let settled = args.ack.settlement();
    if let Some((_, settlement)) = settled {
        let done = service.settle_c2d(&args.device_id, message.lock_token, settlement);
        done.await?;
    }
    let printed = received::printed(&message, settled.map(|(name, _)| name));
    args.form.print(&printed, received::COLUMNS)
}

async fn settle(args: SettleArgs, settlement: Settlement) -> Result<(), Failure> {
    let service = args.login.service()?;
    Ok(service.settle_c2d(&args.device_id, args.etag, settlement).await?)
}

async fn purge(args: PurgeArgs) -> Result<(), Failure> {
    let purged = args.login.service()?.purge_c2d(&args.device_id).await?;
    let printed = json!({
        "deviceId": args.device_id,
        "moduleId": "",
        "totalMessagesPurged": purged.total_messages_purged,
    });
    let columns = [
        ("DeviceId", "/deviceId"),
        ("TotalMessagesPurged", "/totalMessagesPurged"),
    ];
    args.form.print(&printed, &columns)
}

impl ReceiveAck {
    /// With its name in the answer.
    fn settlement(&self) -> Option<(&'static str, Settlement)> {
        match self {
            Self { complete: true, .. } => Some(("complete", Settlement::Complete)),
            Self { abandon: true, .. } => Some(("abandon", Settlement::Abandon)),
            Self { reject: true, .. } => Some(("reject", Settlement::Reject)),
            _ => None,
        }
    }
}

/// With the quotes of HTTP or without.
fn lock_token(text: &str) -> Result<LockToken, String> {
    LockToken::parse(text.trim_matches('"')).map_err(|error| error.to_string())
}
