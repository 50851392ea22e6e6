//! `ironhub generate-sas-token`.

use std::time::Duration;

use clap::Args;
use ironhub_client::{ConnectionString, sas_token};
use ironhub_model::{DeviceId, IdentityId, ModuleId};
use serde_json::json;

use super::answer::Form;
use super::authentication::{WhichKey, connection_string};
use super::failure::Failure;
use super::login::{Hub, Login};
use super::secret::Secret;

/// The flags of `ironhub generate-sas-token`.
#[derive(Debug, Args)]
pub(crate) struct GenerateSasTokenArgs {
    /// For this device, signed with its own key
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse)]
    device_id: Option<DeviceId>,
    /// For this module, signed with its own key
    #[arg(long, short = 'm', value_name = "ID", value_parser = ModuleId::parse, requires = "device_id")]
    module_id: Option<ModuleId>,
    /// Which of the device's or module's keys
    #[arg(
        long,
        visible_alias = "kt",
        value_enum,
        value_name = "WHICH",
        default_value = "primary"
    )]
    key_type: WhichKey,
    /// The policy, of the development hub; a login has its own
    #[arg(long, visible_alias = "pn", value_name = "POLICY", conflicts_with = "device_id")]
    policy_name: Option<String>,
    /// How many seconds the token is good for
    #[arg(long, visible_alias = "du", value_name = "SECONDS", default_value_t = 3600)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    duration: u32,
    /// For what this connection string is about; the hub is not asked
    #[arg(long = "connection-string", visible_alias = "cs", value_name = "CONNECTION_STRING")]
    #[arg(conflicts_with_all = ["device_id", "policy_name"])]
    connection: Option<Secret>,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(crate) async fn run(args: GenerateSasTokenArgs) -> Result<(), Failure> {
    let connection = match &args.connection {
        Some(text) => ConnectionString::parse(text.expose())
            .map_err(|error| Failure::usage(format!("--connection-string cannot be used: {error}")))?,
        None => args.connection().await?,
    };
    if connection.key.is_none() {
        return Err(Failure::usage(
            "who proves itself by certificate has no key to sign a token with",
        ));
    }
    let token = sas_token(&connection, Duration::from_secs(args.duration.into()))?;
    args.form.print(&json!({ "sas": token }), &[("Sas", "/sas")])
}

impl GenerateSasTokenArgs {
    async fn connection(&self) -> Result<ConnectionString, Failure> {
        let Some(device_id) = self.device_id.clone() else {
            return self.policy();
        };
        let id = match self.module_id.clone() {
            Some(module) => IdentityId::module(device_id, module),
            None => IdentityId::device(device_id),
        };
        self.identity(&self.login.hub()?, &id).await
    }

    fn policy(&self) -> Result<ConnectionString, Failure> {
        if self.key_type != WhichKey::Primary {
            return Err(Failure::usage(
                "a login has one key: give the connection string with the other one",
            ));
        }
        Ok(match &self.policy_name {
            Some(policy) => self.login.hub_as(policy)?.connection,
            None => self.login.hub()?.connection,
        })
    }

    async fn identity(&self, hub: &Hub, id: &IdentityId) -> Result<ConnectionString, Failure> {
        if hub.connection.device_id.is_some() {
            return hub.connection_of(id).await;
        }
        let service = hub.service()?;
        let authentication = match &id.module {
            None => service.device(&id.device).await?.authentication,
            Some(module) => service.module(&id.device, module).await?.authentication,
        };
        connection_string(&hub.connection.host_name, id, &authentication, self.key_type)
    }
}
