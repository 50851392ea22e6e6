//! TLS as IoT Hub's clients need it: 1.2 and 1.3, a client certificate welcome and never demanded.

mod certificates;
mod client_certificate;
mod stream;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};

pub use certificates::{CertificateChain, Certificates, CheckedChains, InvalidChain};
use client_certificate::AnyClientCertificate;
pub use stream::TlsStream;

/// What a port offers by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alpn {
    /// Nothing: MQTT and AMQP clients do not ask.
    None,
    /// `http/1.1`, for 443.
    Http11,
}

/// The configuration of one port. Certificates can be exchanged while it is in use; sessions are resumed by tickets,
/// which the process alone can read and which carry the client's certificates along.
pub fn server_config(certificates: Arc<Certificates>, alpn: Alpn) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(provider());
    let verifier = Arc::new(AnyClientCertificate::new(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(certificates);
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    config.alpn_protocols = match alpn {
        Alpn::None => Vec::new(),
        Alpn::Http11 => vec![b"http/1.1".to_vec()],
    };
    Ok(Arc::new(config))
}

/// Named everywhere: where a build holds two providers, rustls has no default.
fn provider() -> CryptoProvider {
    ring::default_provider()
}
