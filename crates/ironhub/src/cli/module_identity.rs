//! `ironhub module-identity`: the modules of a device.

use clap::{Args, Subcommand};
use ironhub_client::{Module, ServiceClient};
use ironhub_model::{AuthenticationType, DeviceId, IdentityId, ModuleId};

use super::answer::{Form, WithHub};
use super::assignment::Assignments;
use super::authentication::{AuthenticationArgs, WhichKey, connection_string};
use super::failure::Failure;
use super::login::Login;
use super::own_certificate::OwnCertificateArgs;
use super::query::Top;
use super::renew_key::{self, KeyType, Renewal};
use super::table::Column;
use super::target::{TargetDevice, TargetModule};
use super::version::Version;

const COLUMNS: &[Column] = &[
    ("DeviceId", "/deviceId"),
    ("ModuleId", "/moduleId"),
    ("ConnectionState", "/connectionState"),
    ("Authentication", "/authentication/type"),
    ("ManagedBy", "/managedBy"),
    ("LastActivityTime", "/lastActivityTime"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum ModuleIdentityCommand {
    /// Register a module
    #[command(after_help = "Example: ironhub module-identity create -d wind-17 -m gateway")]
    Create(Box<CreateArgs>),
    /// Show one module with its keys
    #[command(after_help = "Example: ironhub module-identity show -d wind-17 -m gateway")]
    Show(ShowArgs),
    /// List the modules of a device
    #[command(after_help = "Example: ironhub module-identity list -d wind-17 -o table")]
    List(ListArgs),
    /// Change what is given and leave the rest
    #[command(
        after_help = "Example: ironhub module-identity update -d wind-17 -m gateway --am shared_private_key \
                      --pk bmV3IHByaW1hcnkga2V5Li4= --sk bmV3IHNlY29uZCBrZXkuLi4="
    )]
    Update(Box<UpdateArgs>),
    /// Delete a module with its twin
    #[command(after_help = "Example: ironhub module-identity delete -d wind-17 -m gateway")]
    Delete(DeleteArgs),
    /// Have the hub make up new keys, or swap the two
    #[command(after_help = "Example: ironhub module-identity renew-key -d wind-17 -m gateway --kt both")]
    RenewKey(RenewKeyArgs),
    /// How a module connects
    #[command(subcommand)]
    ConnectionString(ConnectionStringCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionStringCommand {
    /// Print a module's connection string
    #[command(after_help = "Example: ironhub module-identity connection-string show -d wind-17 -m gateway")]
    Show(ConnectionStringArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    target: TargetModule,
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
pub(crate) struct ShowArgs {
    #[command(flatten)]
    target: TargetModule,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: TargetDevice,
    /// At most so many; -1 for all
    #[arg(long, value_name = "COUNT", default_value = "1000", allow_negative_numbers = true)]
    top: Top,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    target: TargetModule,
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

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    target: TargetModule,
    #[command(flatten)]
    version: Version,
    #[command(flatten)]
    login: Login,
}

#[derive(Debug, Args)]
pub(crate) struct RenewKeyArgs {
    #[command(flatten)]
    target: TargetDevice,
    /// The modules' names, or * for all of the device that have keys
    #[arg(long, short = 'm', value_name = "ID", num_args = 1.., required = true, value_parser = ModuleId::parse)]
    module_id: Vec<ModuleId>,
    /// Which keys
    #[arg(long, visible_alias = "kt", value_enum)]
    key_type: KeyType,
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
    target: TargetModule,
    /// With which of its keys
    #[arg(long, visible_alias = "kt", value_enum, default_value = "primary")]
    key_type: WhichKey,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(super) async fn run(command: ModuleIdentityCommand) -> Result<(), Failure> {
    match command {
        ModuleIdentityCommand::Create(args) => create(&args).await,
        ModuleIdentityCommand::Show(args) => show(&args).await,
        ModuleIdentityCommand::List(args) => list(&args).await,
        ModuleIdentityCommand::Update(args) => update(&args).await,
        ModuleIdentityCommand::Delete(args) => delete(&args).await,
        ModuleIdentityCommand::RenewKey(args) => renew_key(&args).await,
        ModuleIdentityCommand::ConnectionString(ConnectionStringCommand::Show(args)) => {
            show_connection_string(&args).await
        }
    }
}

async fn create(args: &CreateArgs) -> Result<(), Failure> {
    let mut module = Module::new(args.target.device_id.clone(), args.target.module_id.clone());
    let certificate = args.certificate.make(args.target.module_id.as_str())?;
    module.authentication = args.authentication.to_authentication(certificate.as_ref())?;
    let created = args.login.service()?.create_module(&module).await?;
    if let Some(certificate) = certificate {
        certificate.keep();
    }
    args.form.print(&created, COLUMNS)
}

async fn show(args: &ShowArgs) -> Result<(), Failure> {
    let hub = args.login.hub()?;
    let module = args.target.read(&hub.service()?).await?;
    args.form.print(&WithHub::new(&module, &hub), COLUMNS)
}

async fn list(args: &ListArgs) -> Result<(), Failure> {
    let modules = args.login.service()?.modules(&args.target.device_id).await?;
    args.form.print(&args.top.first_of(modules), COLUMNS)
}

async fn update(args: &UpdateArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let mut module = args.target.read(&service).await?;
    args.authentication.change(&mut module.authentication)?;
    args.set.apply(&mut module)?;
    let version = args.version.to_match_or(module.etag.as_ref());
    args.form
        .print(&service.update_module(&module, &version).await?, COLUMNS)
}

async fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let target = &args.target;
    let version = args.version.to_match();
    Ok(service
        .delete_module(&target.device_id, &target.module_id, &version)
        .await?)
}

async fn renew_key(args: &RenewKeyArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let device = &args.target.device_id;
    let one = match args.module_id.as_slice() {
        [id] if id.as_str() != "*" => Some(id),
        _ => None,
    };
    let Some(choice) = args.key_type.choice(&args.version)? else {
        let id = one.ok_or_else(|| Failure::usage("keys are swapped of one module at a time"))?;
        return swap_keys(args, &service, id).await;
    };
    let ids = identities(&service, device, &args.module_id).await?;
    let renewal = Renewal::of(&service, &ids, choice).await;
    let Some(id) = one else {
        return renewal.print(args.form);
    };
    renewal.check()?;
    args.form.print(&service.module(device, id).await?, COLUMNS)
}

async fn swap_keys(args: &RenewKeyArgs, service: &ServiceClient, id: &ModuleId) -> Result<(), Failure> {
    let mut module = service.module(&args.target.device_id, id).await?;
    renew_key::swap(&mut module.authentication)?;
    let version = args.version.to_match_or(module.etag.as_ref());
    args.form
        .print(&service.update_module(&module, &version).await?, COLUMNS)
}

/// Those that are named; for `*` all that have keys.
async fn identities(
    service: &ServiceClient,
    device: &DeviceId,
    wanted: &[ModuleId],
) -> Result<Vec<IdentityId>, Failure> {
    let id = |module: &ModuleId| IdentityId::module(device.clone(), module.clone());
    if !wanted.iter().any(|module| module.as_str() == "*") {
        return Ok(wanted.iter().map(id).collect());
    }
    let all = service.modules(device).await?;
    let with_keys = all
        .iter()
        .filter(|module| module.authentication.kind == Some(AuthenticationType::Sas));
    Ok(with_keys.map(|module| id(&module.module_id)).collect())
}

async fn show_connection_string(args: &ConnectionStringArgs) -> Result<(), Failure> {
    let hub = args.login.hub()?;
    let module = args.target.read(&hub.service()?).await?;
    let host_name = &hub.connection.host_name;
    let connection = connection_string(host_name, &args.target.id(), &module.authentication, args.key_type)?;
    args.form.print_connection_string(&connection)
}

impl TargetModule {
    async fn read(&self, service: &ServiceClient) -> Result<Module, Failure> {
        Ok(service.module(&self.device_id, &self.module_id).await?)
    }
}
