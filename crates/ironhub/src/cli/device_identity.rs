//! `ironhub device-identity`: the registry's devices.

use clap::{Args, Subcommand, ValueEnum};
use ironhub_client::{Device, ServiceClient};
use ironhub_model::{DeviceId, DeviceStatus, IdentityId};
use serde_json::Value;

use super::answer::{Form, WithHub};
use super::assignment::Assignments;
use super::authentication::{AuthenticationArgs, WhichKey, connection_string};
use super::failure::Failure;
use super::login::Login;
use super::own_certificate::OwnCertificateArgs;
use super::query::{self, Top};
use super::renew_key::{self, KeyType, Renewal};
use super::table::Column;
use super::target::TargetDevice;
use super::version::Version;

const COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("ConnectionState", "/connectionState"),
    ("Authentication", "/authentication/type"),
    ("IotEdge", "/capabilities/iotEdge"),
    ("LastActivityTime", "/lastActivityTime"),
];
/// The same of a twin, which is what a query gives.
const TWIN_COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("ConnectionState", "/connectionState"),
    ("Authentication", "/authenticationType"),
    ("IotEdge", "/capabilities/iotEdge"),
    ("LastActivityTime", "/lastActivityTime"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceIdentityCommand {
    /// Register a device
    #[command(after_help = "Example: ironhub device-identity create -d wind-17")]
    Create(Box<CreateArgs>),
    /// Show one device with its keys
    #[command(after_help = "Example: ironhub device-identity show -d wind-17")]
    Show(ShowArgs),
    /// List devices, as their twins tell them
    #[command(after_help = "Example: ironhub device-identity list --top 20 -o table")]
    List(ListArgs),
    /// Change what is given and leave the rest
    #[command(after_help = "Example: ironhub device-identity update -d wind-17 --status disabled --star 'in repair'")]
    Update(Box<UpdateArgs>),
    /// Delete a device with its modules, twins and messages
    #[command(after_help = "Example: ironhub device-identity delete -d wind-17")]
    Delete(DeleteArgs),
    /// Have the hub make up new keys, or swap the two
    #[command(after_help = "Example: ironhub device-identity renew-key -d wind-17 --kt primary")]
    RenewKey(RenewKeyArgs),
    /// How a device connects
    #[command(subcommand)]
    ConnectionString(ConnectionStringCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionStringCommand {
    /// Print a device's connection string
    #[command(after_help = "Example: ironhub device-identity connection-string show -d wind-17")]
    Show(ConnectionStringArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    target: TargetDevice,
    /// May it connect
    #[arg(long, visible_alias = "sta", value_enum, default_value = "enabled")]
    status: Status,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    certificate: OwnCertificateArgs,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    target: TargetDevice,
    /// May it connect
    #[arg(long, visible_alias = "sta", value_enum)]
    status: Option<Status>,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    authentication: AuthenticationArgs,
    #[command(flatten)]
    set: Assignments,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

/// What can be said of a device besides how it proves itself.
#[derive(Debug, Args)]
struct Change {
    /// Why the status is what it is; at most 128 characters
    #[arg(long, visible_alias = "star", value_name = "TEXT")]
    status_reason: Option<String>,
    /// Is it an IoT Edge device
    #[arg(long, visible_alias = "ee", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    edge_enabled: Option<bool>,
    /// The scope of the IoT Edge device that is its parent
    #[arg(long, value_name = "SCOPE")]
    device_scope: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    target: TargetDevice,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// At most so many; -1 for all
    #[arg(long, value_name = "COUNT", default_value = "1000", allow_negative_numbers = true)]
    top: Top,
    /// Only IoT Edge devices
    #[arg(long, visible_alias = "ee", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    edge_enabled: Option<bool>,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    target: TargetDevice,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct RenewKeyArgs {
    /// The devices' names, or * for all devices that have keys
    #[arg(long, short = 'd', value_name = "ID", num_args = 1.., required = true, value_parser = DeviceId::parse)]
    device_id: Vec<DeviceId>,
    /// Which keys
    #[arg(long, visible_alias = "kt", value_enum)]
    key_type: KeyType,
    /// The devices' modules, too
    #[arg(long, visible_alias = "im", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    include_modules: Option<bool>,
    /// For a swap
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionStringArgs {
    #[command(flatten)]
    target: TargetDevice,
    /// With which of its keys
    #[arg(long, visible_alias = "kt", value_enum, default_value = "primary")]
    key_type: WhichKey,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
    Enabled,
    Disabled,
}

pub(super) async fn run(command: DeviceIdentityCommand) -> Result<(), Failure> {
    match command {
        DeviceIdentityCommand::Create(args) => create(&args).await,
        DeviceIdentityCommand::Show(args) => show(&args).await,
        DeviceIdentityCommand::List(args) => list(&args, TWIN_COLUMNS).await,
        DeviceIdentityCommand::Update(args) => update(&args).await,
        DeviceIdentityCommand::Delete(args) => delete(&args).await,
        DeviceIdentityCommand::RenewKey(args) => renew_key(&args).await,
        DeviceIdentityCommand::ConnectionString(ConnectionStringCommand::Show(args)) => {
            show_connection_string(&args).await
        }
    }
}

async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let mut device = Device::new(args.target.device_id.clone());
    device.status = args.status.into();
    args.change.apply(&mut device);
    let certificate = args.certificate.make(args.target.device_id.as_str())?;
    device.authentication = args.authentication.to_authentication(certificate.as_ref())?;
    let created = args.login.service()?.create_device(&device).await?;
    if let Some(certificate) = certificate {
        certificate.keep();
    }
    args.form.print(&created, COLUMNS)
}

async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let hub = args.login.hub()?;
    let device = hub.service()?.device(&args.target.device_id).await?;
    args.form.print(&WithHub::new(&device, &hub), COLUMNS)
}

/// Lists the twins of devices.
pub(super) async fn list(args: &ListArgs, columns: &[Column]) -> Result<(), Failure> {
    let all = "SELECT * FROM devices";
    let query = match args.edge_enabled {
        Some(true) => format!("{all} WHERE capabilities.iotEdge = true"),
        _ => all.to_owned(),
    };
    let twins = query::rows(&args.login.service()?, &query, args.top).await?;
    args.form.print(&twins, columns)
}

async fn update(args: &UpdateArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let mut device = service.device(&args.target.device_id).await?;
    if let Some(status) = args.status {
        device.status = status.into();
    }
    args.change.apply(&mut device);
    args.authentication.change(&mut device.authentication)?;
    args.set.apply(&mut device)?;
    let version = args.version.to_match_or(device.etag.as_ref());
    let updated = service.update_device(&device, &version).await?;
    args.form.print(&updated, COLUMNS)
}

async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    Ok(service
        .delete_device(&args.target.device_id, &args.version.to_match())
        .await?)
}

async fn renew_key(args: &RenewKeyArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let with_modules = args.include_modules == Some(true);
    let one = match args.device_id.as_slice() {
        [id] if id.as_str() != "*" && !with_modules => Some(id),
        _ => None,
    };
    let Some(choice) = args.key_type.choice(&args.version)? else {
        let id = one.ok_or_else(|| Failure::usage("keys are swapped of one device at a time"))?;
        return swap_keys(args, &service, id).await;
    };
    if let Some(id) = one {
        Renewal::of(&service, &[IdentityId::device(id.clone())], choice)
            .await
            .check()?;
        return args.form.print(&service.device(id).await?, COLUMNS);
    }
    let ids = identities(&service, &args.device_id, with_modules).await?;
    Renewal::of(&service, &ids, choice).await.print(args.form)
}

async fn swap_keys(args: &RenewKeyArgs, service: &ServiceClient, id: &DeviceId) -> Result<(), Failure> {
    let mut device = service.device(id).await?;
    renew_key::swap(&mut device.authentication)?;
    let version = args.version.to_match_or(device.etag.as_ref());
    args.form
        .print(&service.update_device(&device, &version).await?, COLUMNS)
}

/// Those that have keys: all devices for `*`, and the modules when they are wanted.
async fn identities(
    service: &ServiceClient,
    wanted: &[DeviceId],
    with_modules: bool,
) -> Result<Vec<IdentityId>, Failure> {
    let condition = "authenticationType = 'sas'";
    let mut ids: Vec<IdentityId> = wanted.iter().cloned().map(IdentityId::device).collect();
    let is_all = wanted.iter().any(|id| id.as_str() == "*");
    if is_all {
        ids = select(service, &format!("SELECT deviceId FROM devices WHERE {condition}")).await?;
    }
    if with_modules {
        let modules = format!("SELECT deviceId, moduleId FROM devices.modules WHERE {condition}");
        let modules = select(service, &modules).await?;
        let is_wanted = |id: &IdentityId| is_all || wanted.contains(&id.device);
        ids.extend(modules.into_iter().filter(is_wanted));
    }
    Ok(ids)
}

async fn select(service: &ServiceClient, query: &str) -> Result<Vec<IdentityId>, Failure> {
    let rows = query::rows(service, query, Top::ALL).await?;
    let ids = rows.iter().map(|row| {
        let part = |name: &str| row.get(name).and_then(Value::as_str);
        let id = match (part("deviceId"), part("moduleId")) {
            (Some(device), Some(module)) => IdentityId::parse(&format!("{device}/{module}")).ok(),
            (Some(device), None) => IdentityId::parse(device).ok(),
            (None, _) => None,
        };
        id.ok_or_else(|| Failure::failed(format!("the hub named an identity that is none: {row}")))
    });
    ids.collect()
}

async fn show_connection_string(args: &ConnectionStringArgs) -> Result<(), Failure> {
    let hub = args.login.hub()?;
    let device = hub.service()?.device(&args.target.device_id).await?;
    let id = args.target.id();
    let connection = connection_string(&hub.connection.host_name, &id, &device.authentication, args.key_type)?;
    args.form.print_connection_string(&connection)
}

impl Change {
    fn apply(&self, device: &mut Device) {
        if let Some(reason) = &self.status_reason {
            device.status_reason = Some(reason.clone());
        }
        if let Some(is_edge) = self.edge_enabled {
            device.capabilities.iot_edge = is_edge;
        }
        if let Some(scope) = &self.device_scope {
            device.other.insert("deviceScope".to_owned(), scope.as_str().into());
        }
    }
}

impl From<Status> for DeviceStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Enabled => Self::Enabled,
            Status::Disabled => Self::Disabled,
        }
    }
}
