//! `ironhub connection-string`: how back ends connect.

use clap::{Args, Subcommand};
use ironhub_client::service::Policy;
use ironhub_model::ConnectionString;
use serde_json::{Value, json};

use super::answer::Form;
use super::authentication::WhichKey;
use super::failure::Failure;
use super::login::Login;
use super::table::Column;

const COLUMNS: &[Column] = &[("Policy", "/policy"), ("ConnectionString", "/connectionString")];

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionStringCommand {
    /// Print the connection string of a policy; an IronHub tells it to whoever has every right
    #[command(after_help = "Example: ironhub connection-string show --policy-name service")]
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Which policy
    #[arg(long, visible_alias = "pn", value_name = "NAME", default_value = "iothubowner")]
    policy_name: String,
    /// With which of its keys
    #[arg(long, visible_alias = "kt", value_enum, default_value = "primary")]
    key_type: WhichKey,
    /// Those of all policies
    #[arg(long, visible_alias = "all", conflicts_with = "policy_name")]
    show_all: bool,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(command: ConnectionStringCommand) -> Result<(), Failure> {
    match command {
        ConnectionStringCommand::Show(args) => show(&args).await,
    }
}

async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let hub = args.login.hub()?;
    let policies = hub.service()?.policies().await?;
    let is_wanted = |policy: &&Policy| args.show_all || policy.name == args.policy_name;
    let wanted: Vec<&Policy> = policies.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Err(no_policy(&args.policy_name, &policies));
    }
    let strings = wanted.iter().map(|policy| args.of(policy, &hub.connection.host_name));
    let strings = strings.collect::<Result<Vec<_>, _>>()?;
    let records = wanted
        .iter()
        .zip(&strings)
        .map(|(policy, string)| json!({"policy": policy.name, "connectionString": string}));
    let records: Vec<Value> = records.collect();
    let answer = match strings.as_slice() {
        [only] if !args.show_all => json!({ "connectionString": only }),
        all => json!({ "connectionString": all }),
    };
    args.form.print_as(&answer, &records, COLUMNS)
}

fn no_policy(name: &str, policies: &[Policy]) -> Failure {
    let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    Failure::refused(format!("there is no policy {name:?}; the hub has {}", names.join(", ")))
}

impl ShowArgs {
    fn of(&self, policy: &Policy, host_name: &str) -> Result<String, Failure> {
        let key = match self.key_type {
            WhichKey::Primary => policy.primary_key.clone(),
            WhichKey::Secondary => policy.secondary_key.clone(),
        };
        let key = key.ok_or_else(|| {
            Failure::refused("the hub tells keys of policies only to a policy with every right")
                .with_hint("log in as iothubowner; on the hub's own machine `ironhub policy show` prints them, too")
        })?;
        Ok(ConnectionString::for_policy(host_name, &policy.name, key).expose())
    }
}
