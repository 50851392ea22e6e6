//! `ironhub device send-d2c-message`: telemetry in a device's name.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use ironhub_client::{DeviceClient, RetryPolicy, Telemetry};
use ironhub_model::limits::D2C_MESSAGE_BYTES_MAX;
use ironhub_model::{DeviceId, IdentityId, ModuleId};

use super::device_proof::DeviceProof;
use super::failure::Failure;
use super::login::Login;
use super::message_body::{BodyForm, MessageBody};
use super::property_list::PropertyList;
use crate::output;

/// Whoever sends one message wants to hear soon that there is no way to the hub.
const RETRY: RetryPolicy = RetryPolicy {
    first_delay: Duration::from_millis(500),
    delay_max: Duration::from_secs(5),
    give_up_after: Some(Duration::from_secs(30)),
};

/// The flags of `ironhub device send-d2c-message`.
#[derive(Debug, Args)]
pub(crate) struct SendD2cMessageArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: DeviceId,
    /// The module, if it sends and not the device
    #[arg(long, short = 'm', value_name = "ID", value_parser = ModuleId::parse)]
    module_id: Option<ModuleId>,
    #[command(flatten)]
    body: MessageBody,
    /// The message's own properties; also `$.mid`, `$.cid`, `$.ct` (content type), `$.ce` (content encoding) and the
    /// other system properties of MQTT
    #[arg(
        long,
        short = 'p',
        visible_alias = "props",
        value_name = "NAME=VALUE;…",
        default_value = ""
    )]
    #[arg(hide_default_value = true)]
    properties: PropertyList,
    /// How many times to send it
    #[arg(long, visible_alias = "mc", value_name = "COUNT", default_value = "1")]
    msg_count: NonZeroU32,
    /// The Plug and Play model that the device announces
    #[arg(long, visible_alias = "dtmi", value_name = "DTMI")]
    model_id: Option<String>,
    #[command(flatten)]
    proof: DeviceProof,
    #[command(flatten)]
    login: Login,
}

pub(crate) async fn run(args: SendD2cMessageArgs) -> Result<(), Failure> {
    let message = args.message()?;
    let hub = args.login.hub()?;
    let mut builder = args.proof.builder(&hub, &args.id()).await?.retry(RETRY);
    if let Some(model_id) = &args.model_id {
        builder = builder.model_id(model_id);
    }
    let device = builder.connect().await?;
    let sent = send(&device, &message, args.msg_count).await;
    device.close().await;
    sent
}

async fn send(device: &DeviceClient, message: &Telemetry, count: NonZeroU32) -> Result<(), Failure> {
    for _ in 0..count.get() {
        device.send_telemetry(message.clone()).await?;
    }
    let messages = if count.get() == 1 { "message" } else { "messages" };
    output::note(&format!("the hub has {count} {messages} of {}", device.id()));
    Ok(())
}

impl SendD2cMessageArgs {
    fn message(&self) -> Result<Telemetry, Failure> {
        let PropertyList(properties) = &self.properties;
        let property = |wanted: &str| {
            let mut found = properties.iter().filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| value.as_str())
        };
        let body = self.body.read(&BodyForm {
            content_type: property("$.ct"),
            content_encoding: property("$.ce"),
            bytes_max: D2C_MESSAGE_BYTES_MAX,
        })?;
        // System properties travel among the others, where the hub knows them by their names.
        let message = Telemetry::new(body);
        Ok(properties
            .iter()
            .fold(message, |message, (name, value)| message.property(name, value)))
    }

    fn id(&self) -> IdentityId {
        let device = self.device_id.clone();
        match self.module_id.clone() {
            Some(module) => IdentityId::module(device, module),
            None => IdentityId::device(device),
        }
    }
}
