//! Settings of the hub that an operator can declare: see [`ironhub_server::declared`].

use clap::Args;
use ironhub_model::ConsumerGroup;
use ironhub_server::{ConfigError, DeclaredSettings};

use crate::config_file::Sources;

/// Settings of the hub; what is given here is put in force at each start and at SIGHUP, and is read-only in the API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings of the hub, read-only in its API when given here")]
pub(crate) struct SettingsArgs {
    /// A shared access policy
    #[arg(long, env = "IRONHUB_POLICY", value_name = "TABLE", hide_env_values = true)]
    policy: Vec<String>,
    /// A consumer group of the built-in endpoint besides $Default
    #[arg(long, env = "IRONHUB_CONSUMER_GROUP", value_name = "NAME", value_delimiter = ',')]
    consumer_group: Vec<String>,
    /// A route to the built-in endpoint
    #[arg(long, env = "IRONHUB_ROUTE", value_name = "TABLE")]
    route: Vec<String>,
    /// Does telemetry that no route takes go to the built-in endpoint?
    #[arg(long, env = "IRONHUB_FALLBACK_ROUTE", value_name = "BOOL")]
    fallback_route: Option<bool>,
    /// An authority whose certificates devices may present
    #[arg(long, env = "IRONHUB_CA_CERTIFICATE", value_name = "TABLE")]
    ca_certificate: Vec<String>,
    /// Cloud-to-device queues and feedback
    #[arg(long, env = "IRONHUB_C2D", value_name = "TABLE")]
    c2d: Option<String>,
    /// Seconds by which clocks may differ when a token's expiry is judged; a fresh hub has 300, and 5 with --dev
    #[arg(long, env = "IRONHUB_SAS_CLOCK_SKEW_S", value_name = "SECONDS")]
    sas_clock_skew_s: Option<u64>,
    /// Are tokens of shared access policies refused everywhere but at the settings themselves?
    #[arg(long, env = "IRONHUB_DISABLE_LOCAL_AUTH", value_name = "BOOL")]
    disable_local_auth: Option<bool>,
    /// Do devices sign in by certificate only?
    #[arg(long, env = "IRONHUB_DISABLE_DEVICE_SAS", value_name = "BOOL")]
    disable_device_sas: Option<bool>,
    /// Are tokens of modules' own keys refused?
    #[arg(long, env = "IRONHUB_DISABLE_MODULE_SAS", value_name = "BOOL")]
    disable_module_sas: Option<bool>,
}

impl SettingsArgs {
    /// What they declare; `sources` tells where each was given.
    pub(crate) fn declared(&self, sources: &Sources) -> Result<DeclaredSettings, ConfigError> {
        let mut declared = DeclaredSettings {
            fallback_route: self.fallback_route,
            sas_clock_skew_s: self.sas_clock_skew_s,
            disable_local_auth: self.disable_local_auth,
            disable_device_sas: self.disable_device_sas,
            disable_module_sas: self.disable_module_sas,
            sources: sources.clone(),
            ..DeclaredSettings::default()
        };
        for table in &self.policy {
            declared.add_policies(table)?;
        }
        for name in &self.consumer_group {
            let group = ConsumerGroup::parse(name).map_err(|error| ConfigError {
                key: "consumer-group",
                value: name.clone(),
                expected: error.to_string(),
            })?;
            declared.consumer_groups.push(group);
        }
        for table in &self.route {
            declared.add_routes(table)?;
        }
        for table in &self.ca_certificate {
            declared.add_ca_certificates(table)?;
        }
        if let Some(table) = &self.c2d {
            declared.set_c2d(table)?;
        }
        Ok(declared)
    }
}
