//! Server certificates: signed by the development authority, or read from files.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhub_hub::ports::Clock;
use ironhub_model::Timestamp;
use ironhub_transport::tls::{CertificateChain, Certificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::certificates::{Authority, HostNames};
use crate::clock::SystemClock;
use crate::config::{self, CertificateFiles, ServerConfig};
use crate::server::StartError;

/// The certificates for the listeners, and the CA file that clients trust when the authority is our own.
pub(crate) fn load(config: &ServerConfig) -> Result<(Arc<Certificates>, Option<PathBuf>), StartError> {
    let (chains, ca_file) = read(config, SystemClock.now())?;
    Ok((Certificates::new(chains)?, ca_file))
}

/// Reads or makes them anew.
pub(crate) fn read(
    config: &ServerConfig,
    now: Timestamp,
) -> Result<(Vec<CertificateChain>, Option<PathBuf>), StartError> {
    match &config.certificates {
        config::Certificates::Files(files) => {
            let chains: Result<_, _> = files.iter().map(from_files).collect();
            Ok((chains?, None))
        }
        config::Certificates::Authority(directory) => {
            let names = HostNames {
                host_name: config.host_name.clone(),
                machine_name: config.machine_name.clone(),
                listen: config.listeners.address,
            };
            let authority = Authority::open(directory, &names, now)?;
            let leaf = authority.sign(&names, now)?;
            let chain = chain(&leaf.chain_pem, &leaf.key_pem, directory)?;
            Ok((vec![chain], Some(authority.certificate_file)))
        }
    }
}

fn from_files(files: &CertificateFiles) -> Result<CertificateChain, StartError> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| unusable(path, &error));
    check_key_mode(&files.key)?;
    chain(&read(&files.chain)?, &read(&files.key)?, &files.chain)
}

/// The key's group may read it: system accounts share keys so. Everyone may not.
fn check_key_mode(path: &Path) -> Result<(), StartError> {
    let metadata = std::fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    // None of the three lowest bits: what everyone may do.
    if mode.trailing_zeros() >= 3 {
        return Ok(());
    }
    let path_shown = path.display();
    Err(unusable(
        path,
        &format_args!("it has mode {mode:04o}, so everyone can get at the key; run: chmod o= {path_shown}"),
    ))
}

fn chain(chain_pem: &str, key_pem: &str, path: &Path) -> Result<CertificateChain, StartError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    Ok(CertificateChain {
        certificates: certificates.map_err(|error| unusable(path, &error))?,
        key: PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|error| unusable(path, &error))?,
    })
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> StartError {
    StartError::CertificateFile {
        path: path.into(),
        reason: reason.to_string(),
    }
}
