use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ironhub_transport::listener::{AdmissionLimits, Admissions, Drain, Listener, ListenerOptions, PeerPolicy, Service};
use ironhub_transport::peer::Peer;
use ironhub_transport::socket::Socket;
use ironhub_transport::tls::{Alpn, Certificates, CheckedChains, server_config};
use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Identity, identity, server, version_1};

/// Tells the peer how many certificates it presented and what the first one is, then echoes till the end.
struct Echo;

impl Service for Echo {
    async fn serve(self: Arc<Self>, mut socket: Socket, peer: Peer, drain: Drain) {
        let certificates = peer.certificates();
        let first = certificates.first().map_or(0, |leaf| leaf.len());
        let _ = socket.write_u8(u8::try_from(certificates.len()).unwrap()).await;
        let _ = socket.write_u16(u16::try_from(first).unwrap()).await;
        let _ = socket.flush().await;
        loop {
            let byte = tokio::select! {
                byte = socket.read_u8() => byte,
                _ = drain.begun() => break,
            };
            match byte {
                Ok(b'!') => panic!("the test asked for it"),
                Ok(byte) => socket.write_u8(byte).await.unwrap(),
                Err(_) => break,
            }
            socket.flush().await.unwrap();
        }
        let _ = socket.shutdown().await;
    }
}

struct Running {
    address: SocketAddr,
    drain: Drain,
    task: JoinHandle<()>,
}

async fn start(certificates: Arc<Certificates>, alpn: Alpn, limits: AdmissionLimits) -> Running {
    let options = ListenerOptions {
        name: "test",
        tls: Some(server_config(certificates, alpn).unwrap()),
        peers: PeerPolicy::LoopbackOnly,
        admissions: Admissions::new(limits),
    };
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), options).await.unwrap();
    let (address, drain) = (listener.address(), Drain::new());
    let task = tokio::spawn(listener.run(Arc::new(Echo), drain.clone()));
    Running { address, drain, task }
}

/// Presents a certificate and signs with a key that may be another's.
#[derive(Debug)]
struct Presents(Arc<CertifiedKey>);

impl ResolvesClientCert for Presents {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn client(
    roots: RootCertStore,
    version: &'static SupportedProtocolVersion,
    certificate: Option<(&Identity, &Identity)>,
) -> ClientConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    match certificate {
        None => builder.with_no_client_auth(),
        Some((shown, signer)) => {
            let key = provider.key_provider.load_private_key(signer.key.clone_key()).unwrap();
            let certified = CertifiedKey::new(vec![shown.certificate.clone()], key);
            builder.with_client_cert_resolver(Arc::new(Presents(Arc::new(certified))))
        }
    }
}

async fn connect(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(config).connect(name, stream).await
}

/// What the server says of the client's certificates.
async fn greeting(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(u8, u16)> {
    Ok((stream.read_u8().await?, stream.read_u16().await?))
}

fn p256(names: &[&str]) -> Identity {
    identity(names, &rcgen::PKCS_ECDSA_P256_SHA256)
}

#[tokio::test]
async fn certificates_are_welcome_and_not_demanded() {
    let own = p256(&["localhost"]);
    let server = start(server(&[&own]), Alpn::None, AdmissionLimits::default()).await;
    let devices = [
        p256(&["device"]),
        identity(&["device"], &rcgen::PKCS_ED25519),
        identity(&["device"], &rcgen::PKCS_ECDSA_P384_SHA384),
        version_1(),
    ];
    for version in [&TLS12, &TLS13] {
        let anonymous = Arc::new(client(own.roots(), version, None));
        let mut stream = connect(server.address, anonymous, "localhost").await.unwrap();
        assert_eq!(greeting(&mut stream).await.unwrap(), (0, 0));
        for device in &devices {
            let config = Arc::new(client(own.roots(), version, Some((device, device))));
            let mut stream = connect(server.address, config, "localhost").await.unwrap();
            let length = u16::try_from(device.certificate.len()).unwrap();
            assert_eq!(greeting(&mut stream).await.unwrap(), (1, length));
        }
    }
}

#[tokio::test]
async fn a_certificate_with_another_key_is_refused() {
    let own = p256(&["localhost"]);
    let server = start(server(&[&own]), Alpn::None, AdmissionLimits::default()).await;
    for shown in [p256(&["device"]), version_1()] {
        let thief = p256(&["thief"]);
        for version in [&TLS12, &TLS13] {
            let config = Arc::new(client(own.roots(), version, Some((&shown, &thief))));
            // In TLS 1.3 the client hears of it only behind its own part of the handshake.
            let heard = match connect(server.address, config, "localhost").await {
                Ok(mut stream) => greeting(&mut stream).await,
                Err(error) => Err(error),
            };
            let error = heard.unwrap_err();
            assert!(error.to_string().contains("alert"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_resumed_session_still_has_its_certificates() {
    let (own, device) = (p256(&["localhost"]), p256(&["device"]));
    let server = start(server(&[&own]), Alpn::None, AdmissionLimits::default()).await;
    let length = u16::try_from(device.certificate.len()).unwrap();
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client(own.roots(), version, Some((&device, &device))));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut stream = connect(server.address, Arc::clone(&config), "localhost").await.unwrap();
            assert_eq!(greeting(&mut stream).await.unwrap(), (1, length));
            assert_eq!(stream.get_ref().1.handshake_kind(), Some(kind), "{version:?}");
        }
    }
}

#[tokio::test]
async fn chains_are_chosen_by_name_and_exchanged_while_running() {
    let (first, second, third) = (p256(&["hub.test"]), p256(&["*.other.test"]), p256(&["hub.test"]));
    let certificates = server(&[&first, &second]);
    let server = start(Arc::clone(&certificates), Alpn::Http11, AdmissionLimits::default()).await;
    let reach = async |identity: &Identity, name: &'static str| {
        let config = Arc::new(client(identity.roots(), &TLS13, None));
        connect(server.address, config, name).await.is_ok()
    };
    assert!(reach(&first, "hub.test").await);
    assert!(reach(&second, "a.other.test").await);
    assert!(!reach(&third, "hub.test").await);
    assert!(CheckedChains::new(Vec::new()).is_err());
    let mut mismatched = third.chain();
    mismatched.key = first.chain().key;
    assert!(CheckedChains::new(vec![mismatched]).is_err());
    assert!(reach(&first, "hub.test").await);
    certificates.replace(CheckedChains::new(vec![third.chain()]).unwrap());
    assert!(reach(&third, "hub.test").await);
    assert!(!reach(&first, "hub.test").await);
}

#[tokio::test]
async fn both_versions_are_spoken_and_http_is_agreed_on_443_only() {
    let own = p256(&["localhost"]);
    let names = [(Alpn::Http11, Some(b"http/1.1".as_slice())), (Alpn::None, None)];
    for (alpn, expected) in names {
        let server = start(server(&[&own]), alpn, AdmissionLimits::default()).await;
        let versions = [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)];
        for (version, spoken) in versions {
            let mut config = client(own.roots(), version, None);
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let stream = connect(server.address, Arc::new(config), "localhost").await.unwrap();
            assert_eq!(stream.get_ref().1.protocol_version(), Some(spoken));
            assert_eq!(stream.get_ref().1.alpn_protocol(), expected);
        }
    }
}

#[tokio::test]
async fn a_panic_ends_its_own_connection_only() {
    let own = p256(&["localhost"]);
    let server = start(server(&[&own]), Alpn::None, AdmissionLimits::default()).await;
    let config = Arc::new(client(own.roots(), &TLS13, None));
    let mut doomed = connect(server.address, Arc::clone(&config), "localhost").await.unwrap();
    let mut other = connect(server.address, config, "localhost").await.unwrap();
    greeting(&mut doomed).await.unwrap();
    greeting(&mut other).await.unwrap();
    doomed.write_u8(b'!').await.unwrap();
    assert!(doomed.read_u8().await.is_err());
    other.write_u8(b'x').await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), b'x');
}

#[tokio::test]
async fn strangers_beyond_the_bound_are_turned_away() {
    let own = p256(&["localhost"]);
    let limits = AdmissionLimits {
        unauthenticated_per_address_max: 1,
        ..AdmissionLimits::default()
    };
    let server = start(server(&[&own]), Alpn::None, limits).await;
    let config = Arc::new(client(own.roots(), &TLS13, None));
    let mut first = connect(server.address, Arc::clone(&config), "localhost").await.unwrap();
    greeting(&mut first).await.unwrap();
    assert!(connect(server.address, config, "localhost").await.is_err());
}

#[tokio::test]
async fn a_drain_ends_connections_and_the_listener() {
    let own = p256(&["localhost"]);
    let server = start(server(&[&own]), Alpn::None, AdmissionLimits::default()).await;
    let config = Arc::new(client(own.roots(), &TLS13, None));
    let mut stream = connect(server.address, config, "localhost").await.unwrap();
    greeting(&mut stream).await.unwrap();
    server.drain.begin(Instant::now() + Duration::from_mins(10));
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    server.task.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}
