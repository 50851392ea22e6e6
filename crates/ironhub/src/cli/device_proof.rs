//! How a device proves itself to the hub, when a verb acts in its name.

use std::path::PathBuf;

use clap::Args;
use ironhub_client::{ClientCertificate, ConnectionString, DeviceClientBuilder};
use ironhub_model::{IdentityId, SymmetricKey};

use super::failure::Failure;
use super::login::Hub;
use super::secret::Secret;

/// How the device proves itself, when not with the key that the registry knows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Device authentication")]
pub(super) struct DeviceProof {
    /// The device's key, in place of the one that the registry knows
    #[arg(long, visible_alias = "key", value_name = "KEY")]
    symmetric_key: Option<Secret>,
    /// The device's certificate chain in PEM
    #[arg(
        long,
        visible_alias = "cp",
        value_name = "FILE",
        requires = "key_file_path",
        conflicts_with = "symmetric_key"
    )]
    certificate_file_path: Option<PathBuf>,
    /// The certificate's key in PEM
    #[arg(long, visible_alias = "kp", value_name = "FILE", requires = "certificate_file_path")]
    key_file_path: Option<PathBuf>,
}

impl DeviceProof {
    /// Is it not left to what the registry knows?
    pub(super) fn is_given(&self) -> bool {
        self.symmetric_key.is_some() || self.certificate_file_path.is_some()
    }

    /// A client of this identity, not yet connected.
    pub(super) async fn builder(&self, hub: &Hub, id: &IdentityId) -> Result<DeviceClientBuilder, Failure> {
        let builder = hub.device_builder(self.connection(hub, id).await?);
        Ok(match self.certificate()? {
            Some(certificate) => builder.certificate(certificate),
            None => builder,
        })
    }

    async fn connection(&self, hub: &Hub, id: &IdentityId) -> Result<ConnectionString, Failure> {
        if !self.is_given() {
            return hub.connection_of(id).await;
        }
        Ok(ConnectionString {
            host_name: hub.connection.host_name.clone(),
            gateway_host_name: None,
            device_id: Some(id.device.clone()),
            module_id: id.module.clone(),
            policy: None,
            key: self.key()?,
            x509: self.certificate_file_path.is_some(),
        })
    }

    fn key(&self) -> Result<Option<SymmetricKey>, Failure> {
        let parse = |key: &Secret| SymmetricKey::parse(key.expose());
        let key = self.symmetric_key.as_ref().map(parse).transpose();
        key.map_err(|error| Failure::usage(format!("--symmetric-key: {error}")))
    }

    fn certificate(&self) -> Result<Option<ClientCertificate>, Failure> {
        Ok(match (&self.certificate_file_path, &self.key_file_path) {
            (Some(chain), Some(key)) => Some(ClientCertificate::from_files(chain, key)?),
            _ => None,
        })
    }
}
