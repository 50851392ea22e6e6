//! `serve --dev --demo`: simulated devices within the hub's own process, so that every verb and every tutorial has
//! something to talk to. They come in over the hub's own ports like any other device.

mod kind;
mod settings;
mod thing;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ironhub_client::{ConnectionString, Device, DeviceClient, Error, Match, Module, ServiceClient, Trust};
use ironhub_model::{DeviceId, IdentityId};
use ironhub_server::Announcement;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracing::{info, warn};

use self::kind::{KINDS, Kind};
use self::thing::Thing;

const DEVICE_ALREADY_EXISTS: u32 = 409_001;
const MODULE_ALREADY_EXISTS: u32 = 409_301;

/// The devices of a demonstration.
pub(crate) struct Demo {
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

/// How to reach the hub from within.
struct Way {
    host_name: String,
    mqtt_port: u16,
    trust: Trust,
    service: ServiceClient,
}

impl Demo {
    /// Registers the devices and lets them live, behind the caller's back. `listen` is where the hub listens.
    pub(crate) fn start(announcement: Announcement, listen: IpAddr) -> Self {
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(async move {
            if let Err(error) = run(&announcement, listen, stopped).await {
                warn!(%error, "the demonstration devices do not run");
            }
        });
        Self { stop, running }
    }

    /// Lets them leave in order.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.running.await;
    }
}

async fn run(announcement: &Announcement, listen: IpAddr, stopped: watch::Receiver<bool>) -> Result<(), Error> {
    let mut things = JoinSet::new();
    let begin = async {
        let way = Way::find(announcement, listen)?;
        for kind in KINDS {
            let client = way.connect(kind).await?;
            things.spawn(Thing::new(client, kind).live(stopped.clone()));
        }
        Ok::<(), Error>(())
    };
    let mut stop_early = stopped.clone();
    tokio::select! {
        outcome = begin => outcome?,
        _ = stop_early.wait_for(|stop| *stop) => {}
    }
    info!(devices = things.len(), "the demonstration devices run");
    while let Some(ended) = things.join_next().await {
        if let Ok(Err(error)) = ended {
            warn!(%error, "a demonstration device ended");
        }
    }
    Ok(())
}

impl Way {
    fn find(announcement: &Announcement, listen: IpAddr) -> Result<Self, Error> {
        let (host_name, trust) = match &announcement.ca_file {
            // The development authority's certificate covers where the hub listens.
            Some(file) => (within(listen), Trust::ca_file(file)?),
            None => (announcement.host_name.clone(), Trust::system()?),
        };
        let owner = announcement.connection_strings.policies.get("iothubowner");
        let owner = owner.ok_or_else(|| Error::Configuration("there is no policy iothubowner".to_owned()))?;
        let owner = ConnectionString {
            host_name: host_name.clone(),
            ..ConnectionString::parse(owner)?
        };
        let service = ServiceClient::builder(&owner.expose())?
            .trust(trust.clone())
            .https_port(announcement.ports.https)
            .amqp_port(announcement.ports.amqp)
            .build()?;
        Ok(Self {
            host_name,
            mqtt_port: announcement.ports.mqtt,
            trust,
            service,
        })
    }

    async fn connect(&self, kind: &Kind) -> Result<DeviceClient, Error> {
        let connection = self.register(kind).await?;
        DeviceClient::builder_for(connection)
            .trust(self.trust.clone())
            .port(self.mqtt_port)
            .connect()
            .await
    }

    /// Registers it unless it is there from an earlier run.
    async fn register(&self, kind: &Kind) -> Result<ConnectionString, Error> {
        let refused = |error: &dyn ToString| Error::Configuration(error.to_string());
        let id = IdentityId::parse(kind.id).map_err(|error| refused(&error))?;
        let authentication = match &id.module {
            None => self.device(&id.device, kind).await?.authentication,
            Some(module) => {
                let module = Module::new(id.device.clone(), module.clone());
                self.module(&module).await?.authentication
            }
        };
        let key = authentication.primary_key().cloned();
        let key = key.ok_or_else(|| Error::Configuration(format!("{id} is registered, and not with keys")))?;
        Ok(ConnectionString::for_device(&self.host_name, id.device, id.module, key))
    }

    async fn device(&self, id: &DeviceId, kind: &Kind) -> Result<Device, Error> {
        match self.service.create_device(&Device::new(id.clone())).await {
            Err(error) if error.code() == Some(DEVICE_ALREADY_EXISTS) => self.service.device(id).await,
            Err(error) => Err(error),
            Ok(device) => {
                let tags = json!({ "tags": { "demo": true, "site": kind.site } });
                let twin = IdentityId::device(id.clone());
                self.service.update_twin(&twin, &tags, &Match::Any).await?;
                Ok(device)
            }
        }
    }

    async fn module(&self, module: &Module) -> Result<Module, Error> {
        match self.service.create_module(module).await {
            Err(error) if error.code() == Some(MODULE_ALREADY_EXISTS) => {
                self.service.module(&module.device_id, &module.module_id).await
            }
            outcome => outcome,
        }
    }
}

/// The address by which this process reaches what listens there.
fn within(listen: IpAddr) -> String {
    match listen {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) if address.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_listens_everywhere_is_reached_over_loopback() {
        for (listen, expected) in [
            ("127.0.2.3", "127.0.2.3"),
            ("0.0.0.0", "127.0.0.1"),
            ("::", "[::1]"),
            ("fe80::1", "[fe80::1]"),
        ] {
            assert_eq!(within(listen.parse().unwrap()), expected);
        }
    }
}
