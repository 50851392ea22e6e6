//! `ironhub monitor-events`: what devices send, as it comes in.

mod printed;
mod wildcard;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::Duration;

use clap::Args;
use ironhub_client::{Error, Event, EventReader, HubError, ServiceClient, StartFrom};
use ironhub_model::Timestamp;

use self::printed::{Printer, Properties};
use self::wildcard::Wildcard;
use super::answer::Form;
use super::failure::Failure;
use super::login::Login;
use super::table::visible;
use super::watch::{Seen, Watch};
use crate::output::{self, Output};

/// Rows of a page of `--device-query`.
const PAGE_ROWS: u16 = 1000;

/// The flags of `ironhub monitor-events`.
#[derive(Debug, Args)]
pub(crate) struct MonitorEventsArgs {
    /// Only events of this device; `*` stands for any text, `?` for one character
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<Wildcard>,
    /// Only events of devices that this query finds when the monitor starts
    #[arg(long, short = 'q', value_name = "QUERY")]
    device_query: Option<String>,
    /// Only events of this module; `*` stands for any text, `?` for one character
    #[arg(long, short = 'm', value_name = "ID")]
    module_id: Option<Wildcard>,
    /// Only events of this Plug and Play interface, such as `dtmi:com:example:Thermostat;1`
    #[arg(long, short = 'i', value_name = "INTERFACE")]
    interface: Option<String>,
    /// The consumer group to read in
    #[arg(
        long,
        short = 'c',
        visible_alias = "cg",
        value_name = "GROUP",
        default_value = "$Default"
    )]
    consumer_group: String,
    /// Begin with events of this time, in milliseconds since 1970; now when left out
    #[arg(long, short = 'e', visible_alias = "et", value_name = "MS")]
    enqueued_time: Option<i64>,
    /// Properties to print
    #[arg(
        long,
        short = 'p',
        visible_alias = "props",
        value_name = "KIND",
        num_args = 1..,
        value_enum,
        ignore_case = true
    )]
    properties: Vec<Properties>,
    /// Read bodies as this type, `application/json` for instance, whatever their own is
    #[arg(long, visible_alias = "ct", value_name = "TYPE")]
    content_type: Option<String>,
    /// End when nothing has come for so many seconds; 0 never ends
    #[arg(
        long,
        short = 't',
        visible_alias = "to",
        value_name = "SECONDS",
        default_value_t = 300
    )]
    timeout: u64,
    /// End after so many events; exit code 5 when the timeout comes first
    #[arg(long, visible_alias = "mc", value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    message_count: Option<u64>,
    #[command(flatten)]
    login: Login,
    #[command(flatten)]
    form: Form,
}

pub(crate) async fn run(args: MonitorEventsArgs) -> Result<(), Failure> {
    let service = args.login.service()?;
    let filter = Filter::new(&args, &service).await?;
    let start = args
        .enqueued_time
        .map_or(StartFrom::Latest, |ms| StartFrom::Since(Timestamp::from_millis(ms)));
    let reader = service.events().consumer_group(&args.consumer_group).start(start);
    let reader = reader.on_outage(|error| output::note(&format!("{}; connecting again", visible(&error.to_string()))));
    let mut reader = reader.connect().await.map_err(|error| args.not_opened(error))?;
    let mut watch = Watch::new(Some(Duration::from_secs(args.timeout)).filter(|timeout| !timeout.is_zero()))?;
    output::note(&starting(args.device_id.as_ref()));
    let outcome = args.print_events(&mut reader, &filter, &mut watch).await;
    reader.close().await;
    outcome
}

/// In the words of the Azure command line.
fn starting(device_id: Option<&Wildcard>) -> String {
    let device = device_id.map(|device| format!(" filtering on device: {device},"));
    format!(
        "Starting event monitor,{} use ctrl-c to stop...",
        device.unwrap_or_default()
    )
}

impl MonitorEventsArgs {
    fn not_opened(&self, error: Error) -> Failure {
        let Error::Hub(HubError {
            status: 404, message, ..
        }) = &error
        else {
            return error.into();
        };
        let group = &self.consumer_group;
        Failure::refused(format!("the hub has no consumer group {group:?}: {}", visible(message)))
            .with_hint("$Default is always there; `ironhub serve --consumer-group` declares others")
    }

    async fn print_events(&self, reader: &mut EventReader, filter: &Filter, watch: &mut Watch) -> Result<(), Failure> {
        let printer = Printer {
            properties: &self.properties,
            content_type: self.content_type.as_deref(),
        };
        let mut left = self.message_count.unwrap_or(u64::MAX);
        while left > 0 {
            let event = match watch.next(reader.next()).await {
                Seen::Result(event) => event?,
                Seen::Stopped => return Ok(()),
                Seen::TimedOut if self.message_count.is_none() => return Ok(()),
                Seen::TimedOut => {
                    return Err(Failure::timed_out(format!(
                        "nothing came for {} s; events still missing: {left}",
                        self.timeout
                    )));
                }
            };
            watch.restart();
            if !filter.lets(&event) {
                continue;
            }
            if let ControlFlow::Break(()) = output::print_one(&self.printed(&printer, &event)?)? {
                return Ok(());
            }
            left -= 1;
        }
        Ok(())
    }

    fn printed(&self, printer: &Printer<'_>, event: &Event) -> Result<String, Failure> {
        match self.form.output {
            Output::Json => Ok(serde_json::to_string_pretty(&printer.print(event))? + "\n"),
            Output::Table => Ok(row(printer, event)),
        }
    }
}

/// When, whose, what: one line an event.
fn row(printer: &Printer<'_>, event: &Event) -> String {
    let device = event.device_id().unwrap_or_default();
    let identity = match event.module_id() {
        Some(module) => format!("{device}/{module}"),
        None => device.to_owned(),
    };
    let payload = printer.payload(event);
    let payload = payload.as_str().map_or_else(|| payload.to_string(), str::to_owned);
    format!("{}  {}  {}\n", event.enqueued_at, visible(&identity), visible(&payload))
}

/// Which events are printed.
#[derive(Debug)]
struct Filter {
    device_id: Option<Wildcard>,
    module_id: Option<Wildcard>,
    interface: Option<String>,
    devices: Option<HashSet<String>>,
}

impl Filter {
    async fn new(args: &MonitorEventsArgs, service: &ServiceClient) -> Result<Self, Failure> {
        let devices = match &args.device_query {
            Some(query) => Some(devices(service, query).await?),
            None => None,
        };
        Ok(Self {
            device_id: args.device_id.clone(),
            module_id: args.module_id.clone(),
            interface: args.interface.clone(),
            devices,
        })
    }

    fn lets(&self, event: &Event) -> bool {
        let matches = |pattern: &Option<Wildcard>, name: Option<&str>| {
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.matches(name.unwrap_or_default()))
        };
        let is_found = |devices: &HashSet<String>| devices.contains(event.device_id().unwrap_or_default());
        matches(&self.device_id, event.device_id())
            && matches(&self.module_id, event.module_id())
            && self
                .interface
                .as_ref()
                .is_none_or(|interface| interface == printed::interface(event))
            && self.devices.as_ref().is_none_or(is_found)
    }
}

/// The devices that a query finds.
async fn devices(service: &ServiceClient, query: &str) -> Result<HashSet<String>, Failure> {
    let rows = service.query(query, PAGE_ROWS).collect().await?;
    let ids = rows
        .iter()
        .filter_map(|row| row.get("deviceId")?.as_str().map(str::to_owned));
    let devices: HashSet<String> = ids.collect();
    if devices.is_empty() {
        return Err(Failure::usage(
            "--device-query finds no device; does it select deviceId?",
        ));
    }
    Ok(devices)
}
