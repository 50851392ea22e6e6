//! `ironhub device simulate`: one device or thousands that send telemetry, answer methods, report their twins and take
//! messages from the cloud.

mod device;
mod orders;
mod template;
mod totals;

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ironhub_client::{DeviceClient, DeviceClientBuilder, Error, ServiceClient, Settlement};
use ironhub_model::{DeviceId, IdentityId};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use self::device::Simulated;
use self::orders::{MessageForm, Orders};
use self::template::Template;
use self::totals::Totals;
use super::authentication::{WhichKey, connection_string};
use super::device_proof::DeviceProof;
use super::failure::Failure;
use super::fleet::{self, parse_prefix};
use super::interrupt::Interrupt;
use super::json_text;
use super::login::{Hub, Login};
use super::pace::{parse_rate, parse_seconds};
use super::progress::Progress;
use super::property_list::PropertyList;
use crate::output::{self, Output};

/// What is sent unless said otherwise.
const DATA_DEFAULT: &str = r#"{"device":"{device}","n":{n},"time":"{time}","temperature":{random 18.0 26.0}}"#;

/// The flags of `ironhub device simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The device
    #[arg(long, short = 'd', value_name = "ID", value_parser = DeviceId::parse, required_unless_present = "devices")]
    device_id: Option<DeviceId>,
    /// Many devices in place of one: sim-1, sim-2 and so on
    #[arg(long, value_name = "N", conflicts_with = "device_id", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    devices: Option<u32>,
    /// What the names of many devices begin with
    #[arg(long, value_name = "TEXT", default_value = "sim-", value_parser = parse_prefix)]
    prefix: String,
    /// Register devices that are missing; they stay
    #[arg(long)]
    create: bool,
    /// Messages of each device; 0 for as many as come until it is interrupted
    #[arg(long, visible_alias = "mc", value_name = "N", default_value_t = 100)]
    msg_count: u64,
    /// Seconds between two messages of a device
    #[arg(long, visible_alias = "mi", value_name = "SECONDS", default_value = "3", value_parser = parse_seconds)]
    msg_interval: Duration,
    /// Messages a second of all devices together, in place of an interval
    #[arg(long, value_name = "PER_SECOND", conflicts_with = "msg_interval", value_parser = parse_rate)]
    rate: Option<f64>,
    /// A message's body. {device}, {time}, {random MIN MAX} and, by the letter n in braces, the number of the device's
    /// message are filled in; {{ stands for a brace
    #[arg(long, visible_alias = "da", value_name = "TEMPLATE", default_value = DATA_DEFAULT)]
    data: Template,
    /// A message's properties, filled in like the body; also `$.mid`, `$.cid`, `$.ct` (content type), `$.ce` (content
    /// encoding) and the other system properties of MQTT
    #[arg(
        long,
        short = 'p',
        visible_alias = "props",
        value_name = "NAME=VALUE;…",
        default_value = ""
    )]
    #[arg(hide_default_value = true)]
    properties: PropertyList,
    /// The status that direct methods are answered with
    #[arg(long, visible_alias = "mrc", value_name = "STATUS", default_value_t = 200)]
    method_response_code: i32,
    /// What direct methods are answered with: JSON, a file with it, or `@-`; the method's name and payload when left out
    #[arg(long, visible_alias = "mrp", value_name = "JSON")]
    method_response_payload: Option<String>,
    /// What the device reports at first: a JSON object, a file with it, or `@-`; desired properties are reported whenever they change
    #[arg(long, visible_alias = "irp", value_name = "JSON")]
    init_reported_properties: Option<String>,
    /// What becomes of messages from the cloud. MQTT can only complete: the others are received over HTTPS
    #[arg(long, visible_alias = "rs", value_enum, default_value = "complete")]
    receive_settle: ReceiveSettle,
    /// The Plug and Play model that the device announces
    #[arg(long, visible_alias = "dtmi", value_name = "DTMI")]
    model_id: Option<String>,
    /// The totals as JSON, or as text for people
    #[arg(long, short = 'o', value_enum, default_value = "table")]
    output: Output,
    #[command(flatten)]
    proof: DeviceProof,
    #[command(flatten)]
    login: Login,
}

/// How a message from the cloud is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReceiveSettle {
    Complete,
    Abandon,
    Reject,
}

/// Simulates until all messages are sent, or until it is interrupted.
pub(crate) async fn run(args: SimulateArgs) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen()?;
    let progress = Arc::new(Progress::new());
    let orders = args.orders()?;
    let devices = tokio::select! {
        devices = args.connect(&progress) => devices?,
        () = interrupt.asked() => return Err(Failure::failed("interrupted before all devices were connected")),
    };
    let simulation = Simulation {
        totals: Arc::new(Totals::new(devices.len())),
        progress,
        interrupt,
    };
    let outcome = simulation.run(devices, orders.begin_now()).await;
    output::print(&simulation.totals.print(args.output)?)?;
    outcome
}

/// A device, and who receives its messages over HTTPS where that is wanted.
struct Connected {
    client: DeviceClient,
    queue: Option<ServiceClient>,
}

impl SimulateArgs {
    fn ids(&self) -> Result<Vec<DeviceId>, Failure> {
        match (&self.device_id, self.devices) {
            (Some(id), _) => Ok(vec![id.clone()]),
            (None, count) => fleet::ids(&self.prefix, count.and_then(|count| count.try_into().ok()).unwrap_or(0))
                .map_err(|error| Failure::usage(format!("--prefix {}: {error}", self.prefix))),
        }
    }

    async fn connect(&self, progress: &Progress) -> Result<Vec<Connected>, Failure> {
        let hub = self.login.hub()?;
        let builders = self.builders(&hub).await?;
        progress.show(&format!("connecting {} devices", builders.len()));
        let connecting = builders.into_iter().map(DeviceClientBuilder::connect);
        let clients = fleet::side_by_side(fleet::CONNECTING_MAX, connecting).await?;
        let queue = match self.receive_settle {
            ReceiveSettle::Complete => None,
            ReceiveSettle::Abandon | ReceiveSettle::Reject => Some(hub.service()?),
        };
        let with_queue = |client| Connected {
            client,
            queue: queue.clone(),
        };
        Ok(clients.into_iter().map(with_queue).collect())
    }

    async fn builders(&self, hub: &Hub) -> Result<Vec<DeviceClientBuilder>, Failure> {
        let builders = match &self.device_id {
            Some(id) if self.proof.is_given() || hub.connection.device_id.is_some() => {
                vec![self.proof.builder(hub, &IdentityId::device(id.clone())).await?]
            }
            None if self.proof.is_given() => {
                let message = "a key or a certificate proves one device: name it by --device-id";
                return Err(Failure::usage(message));
            }
            _ => self.registered(hub).await?,
        };
        let with_model = |builder: DeviceClientBuilder| match &self.model_id {
            Some(model_id) => builder.model_id(model_id),
            None => builder,
        };
        Ok(builders.into_iter().map(with_model).collect())
    }

    /// With the keys that the registry knows.
    async fn registered(&self, hub: &Hub) -> Result<Vec<DeviceClientBuilder>, Failure> {
        let ids = self.ids()?;
        let service = hub.service()?;
        let devices = if self.create {
            fleet::create(&service, &ids).await?
        } else {
            fleet::find(&service, &ids).await.map_err(or_create)?
        };
        let builders = devices.into_iter().map(|device| {
            let id = IdentityId::device(device.device_id);
            let host = &hub.connection.host_name;
            let connection = connection_string(host, &id, &device.authentication, WhichKey::Primary)?;
            // Each remembers TLS sessions by itself, as devices do: thousands that come back together resume theirs.
            Ok(hub.device_builder(connection).trust(hub.trust.with_own_sessions()))
        });
        builders.collect()
    }

    /// What the devices do, once for all of them.
    fn orders(&self) -> Result<Orders, Failure> {
        let message = MessageForm::new(self.data.clone(), &self.properties)
            .map_err(|error| Failure::usage(format!("--properties: {error}")))?;
        let payload = self.method_response_payload.as_deref();
        let payload = payload.map(|given| json_text::parse("--method-response-payload", given));
        let reported = self.init_reported_properties.as_deref();
        let reported = reported.map(|given| json_text::parse_object("--init-reported-properties", given));
        Ok(Orders {
            message,
            msg_count: if self.msg_count == 0 { u64::MAX } else { self.msg_count },
            interval: self.msg_interval,
            devices: self.devices.unwrap_or(1),
            rate: self.rate,
            pace: None,
            method_status: self.method_response_code,
            method_payload: payload.transpose()?,
            reported: reported.transpose()?,
            settlement: match self.receive_settle {
                ReceiveSettle::Reject => Settlement::Reject,
                ReceiveSettle::Abandon => Settlement::Abandon,
                ReceiveSettle::Complete => Settlement::Complete,
            },
        })
    }
}

/// Says how what is missing is made.
fn or_create(error: Error) -> Failure {
    let is_missing = error.code() == Some(fleet::DEVICE_NOT_FOUND);
    let failure = Failure::from(error);
    if is_missing {
        return failure.with_hint("--create registers devices that are missing");
    }
    failure
}

struct Simulation {
    totals: Arc<Totals>,
    progress: Arc<Progress>,
    interrupt: Interrupt,
}

impl Simulation {
    /// Fails when a device has failed; the others go on.
    async fn run(&self, devices: Vec<Connected>, orders: Orders) -> Result<(), Failure> {
        let (orders, count) = (Arc::new(orders), devices.len());
        let mut tasks = JoinSet::new();
        for (place, Connected { client, queue }) in devices.into_iter().enumerate() {
            let device = Simulated {
                client,
                queue,
                orders: Arc::clone(&orders),
                totals: Arc::clone(&self.totals),
                // What one device hears is worth a line; what thousands hear is counted.
                notes: (count == 1).then(|| Arc::clone(&self.progress)),
                place: u32::try_from(place).unwrap_or(u32::MAX),
            };
            tasks.spawn(device.live(self.interrupt.clone()));
        }
        let ended = self.watch(&mut tasks).await;
        self.progress.clear();
        ended.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Until all devices have ended, or somebody insists; the first error of a device.
    async fn watch(&self, tasks: &mut JoinSet<Result<(), Error>>) -> Option<Error> {
        let (mut first, mut interrupt) = (None, self.interrupt.clone());
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = tasks.join_next() => match ended {
                    None => return first,
                    Some(Ok(Err(error))) => {
                        self.totals.device_failed();
                        first.get_or_insert(error);
                    }
                    Some(Ok(Ok(())) | Err(_)) => {}
                },
                _ = ticks.tick() => self.progress.show(&self.totals.line()),
                () = interrupt.insisted() => {
                    tasks.shutdown().await;
                    return first;
                }
            }
        }
    }
}
