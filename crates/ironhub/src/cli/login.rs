//! Which hub a verb talks to, and as whom.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use ironhub_client::{ConnectionString, DeviceClient, DeviceClientBuilder, ServiceClient, Trust};
use ironhub_model::IdentityId;

use super::authentication::{WhichKey, connection_string};
use super::dev_hub::DevHub;
use super::failure::Failure;
use super::secret::Secret;
use crate::paths;

/// The flags that every verb has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which hub")]
pub(crate) struct Login {
    /// A connection string with the rights for this; the development hub of this user when left out
    #[arg(
        long = "login",
        short = 'l',
        env = "IRONHUB_LOGIN",
        hide_env_values = true,
        value_name = "CONNECTION_STRING"
    )]
    connection_string: Option<Secret>,
    /// Trust only the authorities in this PEM file; else those of this machine and of this user's development hubs
    #[arg(long, env = "IRONHUB_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// HTTPS and WebSocket, when it is not 443
    #[arg(long, value_name = "PORT")]
    https_port: Option<u16>,
    /// AMQP over TLS, when it is not 5671
    #[arg(long, value_name = "PORT")]
    amqp_port: Option<u16>,
    /// MQTT over TLS, when it is not 8883
    #[arg(long, value_name = "PORT")]
    mqtt_port: Option<u16>,
}

/// A hub that was found: how to get there and as whom.
pub(crate) struct Hub {
    pub(crate) connection: ConnectionString,
    pub(crate) trust: Trust,
    pub(crate) https_port: Option<u16>,
    amqp_port: Option<u16>,
    mqtt_port: Option<u16>,
}

impl Login {
    /// A back end's client.
    pub(crate) fn service(&self) -> Result<ServiceClient, Failure> {
        self.hub()?.service()
    }

    /// The hub as this policy sees it: only the development hub's are known here, a login is one.
    pub(crate) fn hub_as(&self, policy: &str) -> Result<Hub, Failure> {
        if self.connection_string.is_none() {
            return self.dev_hub(Some(policy));
        }
        let hub = self.hub()?;
        if hub.connection.policy.as_deref() == Some(policy) {
            return Ok(hub);
        }
        Err(Failure::usage(format!(
            "the login is not that of the policy {policy:?}"
        )))
    }

    /// The hub itself.
    pub(crate) fn hub(&self) -> Result<Hub, Failure> {
        let Some(connection_string) = &self.connection_string else {
            return self.dev_hub(None);
        };
        Ok(Hub {
            connection: parse(connection_string.expose())?,
            trust: self.trust(None)?,
            https_port: self.https_port,
            amqp_port: self.amqp_port,
            mqtt_port: self.mqtt_port,
        })
    }

    fn dev_hub(&self, policy: Option<&str>) -> Result<Hub, Failure> {
        let found = DevHub::find()?;
        Ok(Hub {
            connection: parse(policy.map_or_else(|| found.owner(), |name| found.policy(name))?)?,
            trust: self.trust(found.ca_file)?,
            https_port: Some(self.https_port.unwrap_or(found.ports.https)),
            amqp_port: Some(self.amqp_port.unwrap_or(found.ports.amqp)),
            mqtt_port: Some(self.mqtt_port.unwrap_or(found.ports.mqtt)),
        })
    }

    fn trust(&self, announced: Option<PathBuf>) -> Result<Trust, Failure> {
        Ok(match self.ca_file.clone().or(announced) {
            Some(file) => Trust::ca_file(file)?,
            None => Trust::system_and_ca_files(dev_authorities())?,
        })
    }
}

impl Hub {
    pub(crate) fn service(&self) -> Result<ServiceClient, Failure> {
        if self.connection.policy.is_none() {
            let message = "this verb asks the hub as a back end, and the login has no SharedAccessKeyName";
            return Err(Failure::usage(message).with_hint("log in with the connection string of a policy"));
        }
        let mut builder = ServiceClient::builder(&self.connection.expose())?.trust(self.trust.clone());
        if let Some(port) = self.https_port {
            builder = builder.https_port(port);
        }
        if let Some(port) = self.amqp_port {
            builder = builder.amqp_port(port);
        }
        Ok(builder.build()?)
    }

    /// The identity's own connection string.
    pub(crate) async fn connection_of(&self, id: &IdentityId) -> Result<ConnectionString, Failure> {
        let own = &self.connection;
        if let Some(device) = &own.device_id {
            if (device, &own.module_id) == (&id.device, &id.module) {
                return Ok(own.clone());
            }
            let message = format!("the login is a connection string of {device}, not of {id}");
            return Err(Failure::usage(message).with_hint("log in as this identity, or as a policy"));
        }
        let service = self.service()?;
        let authentication = match &id.module {
            None => service.device(&id.device).await?.authentication,
            Some(module) => service.module(&id.device, module).await?.authentication,
        };
        connection_string(&own.host_name, id, &authentication, WhichKey::Primary)
    }

    /// A client of whoever this connection string is for.
    pub(crate) fn device_builder(&self, connection: ConnectionString) -> DeviceClientBuilder {
        let builder = DeviceClient::builder_for(connection).trust(self.trust.clone());
        match self.mqtt_port {
            Some(port) => builder.port(port),
            None => builder,
        }
    }
}

/// Names the part that is missing or wrong, and never repeats the text.
fn parse(connection_string: &str) -> Result<ConnectionString, Failure> {
    ConnectionString::parse(connection_string).map_err(|error| {
        let form = "HostName=…;SharedAccessKeyName=…;SharedAccessKey=…";
        Failure::usage(format!("the login is no connection string: {error}")).with_hint(format!("it looks like {form}"))
    })
}

/// The authorities of this user's development hubs: one for the usual names, and one for each set of further names.
fn dev_authorities() -> Vec<PathBuf> {
    let directory = paths::ca_directory();
    let further = fs::read_dir(&directory).into_iter().flatten().flatten();
    let files = [directory.clone()].into_iter().chain(further.map(|entry| entry.path()));
    files
        .map(|place| place.join("ca.pem"))
        .filter(|file| file.is_file())
        .collect()
}
