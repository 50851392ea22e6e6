//! `ironhub device-twin` and `ironhub module-twin`.

use clap::{Args, Subcommand};
use ironhub_model::IdentityId;
use serde_json::{Map, Value};

use super::answer::Form;
use super::assignment::Assignments;
use super::device_identity::{self, ListArgs};
use super::failure::Failure;
use super::json_text;
use super::login::Login;
use super::table::Column;
use super::target::{TargetDevice, TargetModule};
use super::version::Version;

const COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("ConnectionState", "/connectionState"),
    ("DesiredVersion", "/properties/desired/$version"),
    ("ReportedVersion", "/properties/reported/$version"),
    ("Tags", "/tags"),
];
const MODULE_COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("ModuleId", "/moduleId"),
    ("ConnectionState", "/connectionState"),
    ("DesiredVersion", "/properties/desired/$version"),
    ("ReportedVersion", "/properties/reported/$version"),
    ("Tags", "/tags"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceTwinCommand {
    /// Show a device's twin
    #[command(after_help = "Example: ironhub device-twin show -d wind-17")]
    Show(ShowArgs<TargetDevice>),
    /// List twins of devices
    #[command(after_help = "Example: ironhub device-twin list --top 20 -o table")]
    List(ListArgs),
    /// Merge tags and desired properties into a twin; null deletes
    #[command(after_help = "Example: ironhub device-twin update -d wind-17 --desired '{\"interval\": 5}'")]
    Update(UpdateArgs<TargetDevice>),
    /// Replace a twin's tags, desired properties, or both
    #[command(
        after_help = "Example: ironhub device-twin replace -d wind-17 --json '{\"tags\": {\"site\": \"north\"}}'"
    )]
    Replace(ReplaceArgs<TargetDevice>),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModuleTwinCommand {
    /// Show a module's twin
    #[command(after_help = "Example: ironhub module-twin show -d wind-17 -m gateway")]
    Show(ShowArgs<TargetModule>),
    /// Merge tags and desired properties into a twin; null deletes
    #[command(after_help = "Example: ironhub module-twin update -d wind-17 -m gateway --tags '{\"site\": \"north\"}'")]
    Update(UpdateArgs<TargetModule>),
    /// Replace a twin's tags, desired properties, or both
    #[command(after_help = "Example: ironhub module-twin replace -d wind-17 -m gateway --json twin.json")]
    Replace(ReplaceArgs<TargetModule>),
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs<T: Args> {
    #[command(flatten)]
    target: T,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs<T: Args> {
    #[command(flatten)]
    target: T,
    #[command(flatten)]
    patch: Patch,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
struct Patch {
    /// Notes that the device never sees: JSON, a file that holds it, or `@-` for standard input
    #[arg(long, value_name = "JSON")]
    tags: Option<String>,
    /// What the device is to do: JSON, a file that holds it, or `@-` for standard input
    #[arg(long, value_name = "JSON")]
    desired: Option<String>,
    #[command(flatten)]
    set: Assignments,
}

#[derive(Debug, Args)]
pub(crate) struct ReplaceArgs<T: Args> {
    #[command(flatten)]
    target: T,
    /// `{"tags": …, "properties": {"desired": …}}`, a file that holds it, or `@-` for standard input; a section that is
    /// left out stays
    #[arg(long, short = 'j', value_name = "JSON")]
    json: String,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(command: DeviceTwinCommand) -> Result<(), Failure> {
    match command {
        DeviceTwinCommand::Show(args) => args.run(&args.target.id()).await,
        DeviceTwinCommand::List(args) => device_identity::list(&args, COLUMNS).await,
        DeviceTwinCommand::Update(args) => args.run(&args.target.id()).await,
        DeviceTwinCommand::Replace(args) => args.run(&args.target.id()).await,
    }
}

pub(super) async fn run_for_module(command: ModuleTwinCommand) -> Result<(), Failure> {
    match command {
        ModuleTwinCommand::Show(args) => args.run(&args.target.id()).await,
        ModuleTwinCommand::Update(args) => args.run(&args.target.id()).await,
        ModuleTwinCommand::Replace(args) => args.run(&args.target.id()).await,
    }
}

impl<T: Args> ShowArgs<T> {
    async fn run(&self, id: &IdentityId) -> Result<(), Failure> {
        let twin = self.login.service()?.twin(id).await?;
        self.form.print(&twin, columns(id))
    }
}

impl<T: Args> UpdateArgs<T> {
    async fn run(&self, id: &IdentityId) -> Result<(), Failure> {
        let patch = self.patch.to_json()?;
        let twin = self
            .login
            .service()?
            .update_twin(id, &patch, &self.version.to_match())
            .await?;
        self.form.print(&twin, columns(id))
    }
}

impl<T: Args> ReplaceArgs<T> {
    async fn run(&self, id: &IdentityId) -> Result<(), Failure> {
        let next = json_text::parse_object("--json", &self.json)?;
        if next.get("tags").is_none() && next.pointer("/properties/desired").is_none() {
            let message = "--json has neither tags nor properties.desired: there is nothing to replace";
            return Err(Failure::usage(message).with_hint("such as {\"properties\": {\"desired\": {\"interval\": 5}}}"));
        }
        let twin = self
            .login
            .service()?
            .replace_twin(id, &next, &self.version.to_match())
            .await?;
        self.form.print(&twin, columns(id))
    }
}

impl Patch {
    fn to_json(&self) -> Result<Value, Failure> {
        let mut patch = Map::new();
        if let Some(tags) = &self.tags {
            patch.insert("tags".to_owned(), json_text::parse_object("--tags", tags)?);
        }
        if let Some(desired) = &self.desired {
            let desired = json_text::parse_object("--desired", desired)?;
            patch.insert("properties".to_owned(), Value::from_iter([("desired", desired)]));
        }
        if let Some(path) = self.set.first_outside(&["tags.", "properties.desired."]) {
            let message = format!("--set {path}: a back end changes tags and desired properties only");
            return Err(
                Failure::usage(message).with_hint("such as --set tags.site=north properties.desired.interval=5")
            );
        }
        let mut patch = patch.into();
        self.set.apply_to_json(&mut patch)?;
        if patch.as_object().is_none_or(Map::is_empty) {
            return Err(Failure::usage(
                "there is nothing to change: give --tags, --desired or --set",
            ));
        }
        Ok(patch)
    }
}

fn columns(id: &IdentityId) -> &'static [Column] {
    if id.module.is_some() { MODULE_COLUMNS } else { COLUMNS }
}
