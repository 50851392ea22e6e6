use std::net::SocketAddr;
use std::sync::Arc;

use ironhub_amqp::performative::condition;
use ironhub_model::DeviceId;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_transport::amqp::AmqpService;
use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy};
use ironhub_transport::tls::{Alpn, server_config};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Identity, identity, server};
use crate::client::Client;
use crate::hub::{HOST, TestHub, start};

/// Serves the hub on one more port, with TLS.
async fn serve(hub: &TestHub, own: &Identity) -> SocketAddr {
    let options = ListenerOptions {
        name: "amqps",
        tls: Some(server_config(server(&[own]), Alpn::None).unwrap()),
        peers: PeerPolicy::LoopbackOnly,
        admissions: Admissions::new(AdmissionLimits::default()),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.run(AmqpService::new(hub.hub.clone()), Drain::new()));
    address
}

async fn tls(address: SocketAddr, own: &Identity, device: Option<&Identity>) -> TlsStream<TcpStream> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(own.roots());
    let config = match device {
        None => builder.with_no_client_auth(),
        Some(device) => builder
            .with_client_auth_cert(vec![device.certificate.clone()], device.key.clone_key())
            .unwrap(),
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap()
}

fn p256(name: &str) -> Identity {
    identity(&[name], &rcgen::PKCS_ECDSA_P256_SHA256)
}

async fn register(hub: &TestHub, name: &str, certificate: &Identity) {
    let mut spec = DeviceSpec::new(DeviceId::parse(name).unwrap());
    let digest = ring::digest::digest(&ring::digest::SHA256, &certificate.certificate);
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    let thumbprint: String = digits.collect();
    spec.authentication.primary_thumbprint = Some(thumbprint.clone());
    spec.authentication.secondary_thumbprint = Some(thumbprint);
    hub.hub.registry.put_device(spec, Precondition::None).await.unwrap();
}

/// No SASL and no `$cbs`: the certificate says it all.
#[tokio::test]
async fn a_certificate_opens_the_links_of_its_device() {
    let (hub, own, device) = (start().await, p256(HOST), p256("x-1"));
    register(&hub, "x-1", &device).await;
    let address = serve(&hub, &own).await;
    for (certificate, refusal) in [
        (Some(&device), None),
        (None, Some(condition::UNAUTHORIZED_ACCESS)),
        (Some(&own), Some(condition::UNAUTHORIZED_ACCESS)),
    ] {
        let mut client = Client::open_over(tls(address, &own, certificate).await).await;
        let attached = client.sender("/devices/x-1/messages/events").await;
        assert_eq!(attached.as_ref().err().map(|error| &*error.condition), refusal);
        if let Ok(link) = attached {
            super::links::works(&mut client, link).await;
            let other = client.sender("/devices/d.1/messages/events").await.unwrap_err();
            assert_eq!(other.condition, condition::UNAUTHORIZED_ACCESS);
        }
    }
}
