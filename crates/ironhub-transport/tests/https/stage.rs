//! A hub that listens on a port of the loopback interface, for one test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::Clock;
use ironhub_hub::{Hub, HubConfig, Parts, Ports};
use ironhub_model::registry::{DeviceSpec, ModuleSpec, Precondition};
use ironhub_model::{
    AccessPolicy, Authentication, DeviceId, HubSettings, ModuleId, SymmetricKey, Timestamp, sas_token,
};
use ironhub_storage_embedded::disk::MemoryDisk;
use ironhub_storage_embedded::{LocalBus, Log, LogOptions, SqliteState};
use ironhub_testkit::FakeClock;
use ironhub_transport::http::{AllowedOrigins, HttpService};
use ironhub_transport::https::{HttpsOptions, router};
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::peer::Peer;
use ironhub_transport::socket::Socket;
use ironhub_transport::tls::{Alpn, CertificateChain, Certificates, server_config};
use ironhub_transport::websocket::{SubProtocol, WebSocketService, WebSocketStream};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::exchange::{Answer, Connection};

pub(crate) const HOST: &str = "localhost";
pub(crate) const API: &str = "api-version=2021-04-12";

pub(crate) struct TestPorts;

impl Ports for TestPorts {
    type State = SqliteState;
    type Log = Log;
    type Bus = LocalBus;
    type Clock = FakeClock;
}

/// No test of this file's upgrades a connection.
struct NoWebSockets;

impl WebSocketService for NoWebSockets {
    async fn serve(self: Arc<Self>, _: SubProtocol, _: WebSocketStream<Socket>, _: Peer, _: Drain) {}
}

pub(crate) struct Stage {
    pub(crate) hub: Hub<TestPorts>,
    pub(crate) clock: FakeClock,
    address: SocketAddr,
    roots: RootCertStore,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let clock = FakeClock::default();
        let hub = hub(&clock).await;
        let router = router(hub.clone(), HttpsOptions::default());
        let origins = AllowedOrigins::new(vec![HOST.into()], vec!["https://console.example.test".into()]);
        let service = HttpService::new(router, origins, Arc::new(NoWebSockets));
        let (certificates, roots) = certificates();
        let options = ListenerOptions {
            name: "https",
            tls: Some(server_config(certificates, Alpn::Http11).unwrap()),
            peers: PeerPolicy::LoopbackOnly,
            admissions: Admissions::new(AdmissionLimits::default()),
        };
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
        let address = listener.address();
        tokio::spawn(listener.run(Arc::new(service), Drain::new()));
        Self {
            hub,
            clock,
            address,
            roots,
        }
    }

    pub(crate) async fn connect(&self) -> Connection<TlsStream<TcpStream>> {
        self.connect_with(None).await
    }

    /// A connection that shows a certificate.
    pub(crate) async fn connect_with(
        &self,
        identity: Option<&(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> Connection<TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let client = match identity {
            None => client.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![certificate.clone()];
                client.with_client_auth_cert(chain, key.clone_key()).unwrap()
            }
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(client));
        Connection::new(connector.connect(name, stream).await.unwrap())
    }

    /// One request on a connection of its own. `target` gets an api-version when it has none.
    pub(crate) async fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (method, target) = request.split_once(' ').unwrap();
        let joint = if target.contains('?') { '&' } else { '?' };
        let target = if target.contains("api-version") || target.starts_with("/ironhub/") {
            target.to_owned()
        } else {
            format!("{target}{joint}{API}")
        };
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n");
        for (name, value) in headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        let length = body.len().to_string();
        head.extend(["Content-Length: ", &length, "\r\n\r\n"]);
        let mut connection = self.connect().await;
        connection.send(head.as_bytes()).await;
        connection.send(body.as_bytes()).await;
        connection.answer().await
    }

    /// The same as the hub's owner.
    pub(crate) async fn owner(&self, request: &str, body: &str) -> Answer {
        self.owner_with(request, &[], body).await
    }

    pub(crate) async fn owner_with(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.policy(("iothubowner", request), headers, body).await
    }

    pub(crate) async fn policy(&self, (policy, request): (&str, &str), headers: &[(&str, &str)], body: &str) -> Answer {
        let token = self.policy_token(policy);
        let headers: Vec<(&str, &str)> = [("Authorization", token.as_str())]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        self.ask(request, &headers, body).await
    }

    /// The same as a device or, by `device/module`, a module.
    pub(crate) async fn device(&self, id: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let token = self.device_token(id).await;
        let headers: Vec<(&str, &str)> = [("Authorization", token.as_str())]
            .into_iter()
            .chain(headers.iter().copied())
            .collect();
        self.ask(request, &headers, body).await
    }

    pub(crate) fn policy_token(&self, policy: &str) -> String {
        let key = self.hub.settings.current().policy(policy).unwrap().primary_key.clone();
        sas_token::sign(HOST, &key, self.in_an_hour(), Some(policy))
    }

    pub(crate) async fn device_token(&self, id: &str) -> String {
        let (device, module) = id
            .split_once('/')
            .map_or((id, None), |(device, module)| (device, Some(module)));
        let device_id = DeviceId::parse(device).unwrap();
        let registry = &self.hub.registry;
        let (authentication, path) = match module {
            None => {
                let view = registry.device(&device_id).await.unwrap();
                (view.identity.authentication, format!("{HOST}/devices/{device}"))
            }
            Some(module) => {
                let module_id = ModuleId::parse(module).unwrap();
                let view = registry.module(&device_id, &module_id).await.unwrap();
                let path = format!("{HOST}/devices/{device}/modules/{module}");
                (view.identity.authentication, path)
            }
        };
        let Authentication::Sas { primary, .. } = authentication else {
            panic!("{id} has no keys");
        };
        sas_token::sign(&path, &primary, self.in_an_hour(), None)
    }

    pub(crate) async fn register(&self, id: &str) {
        let registry = &self.hub.registry;
        let (device, module) = id
            .split_once('/')
            .map_or((id, None), |(device, module)| (device, Some(module)));
        let device = DeviceId::parse(device).unwrap();
        match module {
            None => {
                let spec = DeviceSpec::new(device);
                registry.put_device(spec, Precondition::None).await.unwrap();
            }
            Some(module) => {
                let spec = ModuleSpec::new(device, ModuleId::parse(module).unwrap());
                registry.put_module(spec, Precondition::None).await.unwrap();
            }
        }
    }

    fn in_an_hour(&self) -> Timestamp {
        self.clock.now().saturating_add(Duration::from_hours(1))
    }
}

async fn hub(clock: &FakeClock) -> Hub<TestPorts> {
    let policies = AccessPolicy::defaults().into_iter().zip(1u8..);
    let policies = policies.map(|((name, permissions), number)| AccessPolicy {
        name: name.into(),
        permissions,
        primary_key: SymmetricKey::from_bytes(&[number; 32]).unwrap(),
        secondary_key: SymmetricKey::from_bytes(&[number + 100; 32]).unwrap(),
    });
    let settings = HubSettings::with_policies(policies.collect());
    let log_clock = clock.clone();
    let options = LogOptions::new(2, Arc::new(move || log_clock.now()), Box::new(|_| {}));
    let parts = Parts {
        state: SqliteState::open_in_memory().unwrap(),
        log: Log::open(
            Arc::new(MemoryDisk::default()),
            Path::new("events"),
            options.in_memory(),
        )
        .unwrap(),
        bus: LocalBus::new(),
        clock: clock.clone(),
    };
    Hub::start(HubConfig::new("hub", vec![HOST.into()], settings), parts)
        .await
        .unwrap()
}

fn certificates() -> (Arc<Certificates>, RootCertStore) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = params.self_signed(&key).unwrap().der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let chain = CertificateChain {
        certificates: vec![certificate],
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
    };
    (Certificates::new(vec![chain]).unwrap(), roots)
}
