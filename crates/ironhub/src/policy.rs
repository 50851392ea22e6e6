//! `ironhub policy`: the shared access policies of a data directory.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ironhub_model::{AccessPolicy, Permission};
use ironhub_server::policies::{self, StoredPolicies};
use serde::Serialize;

use crate::output::{self, Output};
use crate::paths;

/// The commands of `ironhub policy`.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print the keys and connection strings of a hub's policies, whether the hub runs or not
    #[command(after_help = "Example: ironhub policy show -n service --data-dir /var/lib/ironhub -o table")]
    Show(ShowArgs),
}

/// The flags of `ironhub policy show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The policy; all when left out
    #[arg(long, short = 'n', value_name = "POLICY")]
    name: Option<String>,
    /// The hub's data directory; that of `serve --dev` when left out
    #[arg(long, env = "IRONHUB_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The host name in the connection strings
    #[arg(long, env = "IRONHUB_HOST_NAME", value_name = "NAME", default_value = "localhost")]
    host_name: String,
    /// As JSON or as a table
    #[arg(long, short = 'o', value_enum, default_value = "json")]
    output: Output,
}

/// One policy as it is printed; the names are those of `az iot hub policy show`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    key_name: &'a str,
    rights: String,
    primary_key: &'a str,
    secondary_key: &'a str,
    primary_connection_string: String,
    secondary_connection_string: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_hubs_connection_string: Option<String>,
}

pub(crate) fn run(command: PolicyCommand) -> Result<(), Box<dyn Error>> {
    match command {
        PolicyCommand::Show(args) => show(&args),
    }
}

fn show(args: &ShowArgs) -> Result<(), Box<dyn Error>> {
    let directory = args.data_dir.clone().unwrap_or_else(paths::dev_data_directory);
    let stored = policies::read(&directory)?;
    let wanted = |policy: &&AccessPolicy| args.name.as_ref().is_none_or(|name| *name == policy.name);
    let shown: Vec<Shown<'_>> = stored
        .policies
        .iter()
        .filter(wanted)
        .map(|policy| Shown::new(&args.host_name, &stored, policy))
        .collect();
    if let (true, Some(name)) = (shown.is_empty(), &args.name) {
        return Err(format!("there is no policy {name:?}; the hub has {}", names(&stored)).into());
    }
    output::print(&match args.output {
        Output::Json => serde_json::to_string_pretty(&shown)? + "\n",
        Output::Table => shown.iter().map(Shown::to_text).collect(),
    })?;
    Ok(())
}

fn names(stored: &StoredPolicies) -> String {
    let names: Vec<&str> = stored.policies.iter().map(|policy| policy.name.as_str()).collect();
    names.join(", ")
}

impl<'a> Shown<'a> {
    fn new(host_name: &str, stored: &'a StoredPolicies, policy: &'a AccessPolicy) -> Self {
        let connection_string = |key| policies::connection_string(host_name, &policy.name, key);
        Self {
            key_name: &policy.name,
            rights: rights(policy),
            primary_key: policy.primary_key.expose(),
            secondary_key: policy.secondary_key.expose(),
            primary_connection_string: connection_string(&policy.primary_key),
            secondary_connection_string: connection_string(&policy.secondary_key),
            event_hubs_connection_string: policies::event_hubs_connection_string(host_name, &stored.hub_name, policy),
        }
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        let rows = [
            ("Rights", self.rights.as_str()),
            ("Primary key", self.primary_key),
            ("Secondary key", self.secondary_key),
            ("Primary connection string", &self.primary_connection_string),
            ("Secondary connection string", &self.secondary_connection_string),
        ];
        let event_hubs = self.event_hubs_connection_string.as_deref();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", self.key_name);
        for (title, value) in rows.into_iter().chain(event_hubs.map(|value| ("Event Hubs", value))) {
            let _ = writeln!(text, "  {title:<28}{value}");
        }
        text
    }
}

/// `RegistryRead, ServiceConnect`, as the Azure command line lists them.
fn rights(policy: &AccessPolicy) -> String {
    let rights = Vec::<Permission>::from(policy.permissions);
    let names: Vec<String> = rights.iter().map(|right| format!("{right:?}")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use ironhub_model::{Permissions, SymmetricKey};

    use super::*;

    fn policy(name: &str, rights: &[Permission]) -> AccessPolicy {
        AccessPolicy {
            name: name.into(),
            permissions: Permissions::of(rights),
            primary_key: SymmetricKey::from_bytes(&[b'p'; 16]).unwrap(),
            secondary_key: SymmetricKey::from_bytes(&[b's'; 16]).unwrap(),
        }
    }

    #[test]
    fn a_policy_is_shown_with_what_its_holder_may_use_it_for() {
        let stored = StoredPolicies {
            hub_name: "plant".into(),
            policies: vec![
                policy("service", &[Permission::ServiceConnect]),
                policy("registryReadWrite", &[Permission::RegistryWrite]),
            ],
        };
        let shown: Vec<_> = stored
            .policies
            .iter()
            .map(|policy| Shown::new("hub.test", &stored, policy))
            .collect();
        let (primary, secondary) = ("cHBwcHBwcHBwcHBwcHBwcA==", "c3Nzc3Nzc3Nzc3Nzc3Nzcw==");
        assert_eq!(
            serde_json::to_value(&shown).unwrap(),
            serde_json::json!([
                {
                    "keyName": "service",
                    "rights": "ServiceConnect",
                    "primaryKey": primary,
                    "secondaryKey": secondary,
                    "primaryConnectionString": format!("HostName=hub.test;SharedAccessKeyName=service;SharedAccessKey={primary}"),
                    "secondaryConnectionString": format!("HostName=hub.test;SharedAccessKeyName=service;SharedAccessKey={secondary}"),
                    "eventHubsConnectionString": format!("Endpoint=sb://hub.test/;SharedAccessKeyName=service;SharedAccessKey={primary};EntityPath=plant"),
                },
                {
                    "keyName": "registryReadWrite",
                    "rights": "RegistryRead, RegistryWrite",
                    "primaryKey": primary,
                    "secondaryKey": secondary,
                    "primaryConnectionString": format!("HostName=hub.test;SharedAccessKeyName=registryReadWrite;SharedAccessKey={primary}"),
                    "secondaryConnectionString": format!("HostName=hub.test;SharedAccessKeyName=registryReadWrite;SharedAccessKey={secondary}"),
                },
            ])
        );
        let text = shown[1].to_text();
        assert!(
            text.starts_with("registryReadWrite\n  Rights                      RegistryRead, RegistryWrite\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 6);
    }
}
