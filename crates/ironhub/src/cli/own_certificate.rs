//! `--output-dir`: a certificate that signs itself, for an identity that is made.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use ironhub_model::Thumbprint;
use rcgen::{CertificateParams, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use super::failure::Failure;

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "How it proves itself")]
pub(super) struct OwnCertificateArgs {
    /// Make a certificate that signs itself and write it and its key to this directory; its thumbprint is registered
    #[arg(long, visible_alias = "od", value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// How many days that certificate is good for
    #[arg(
        long,
        visible_alias = "vd",
        value_name = "DAYS",
        default_value = "365",
        requires = "output_dir"
    )]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    valid_days: u16,
}

/// Files that are removed unless they are kept: they are worth nothing when the identity was not made.
pub(super) struct OwnCertificate {
    thumbprint: Thumbprint,
    files: Vec<PathBuf>,
}

impl OwnCertificateArgs {
    /// Makes it when it is asked for.
    pub(super) fn make(&self, subject: &str) -> Result<Option<OwnCertificate>, Failure> {
        let Some(directory) = &self.output_dir else {
            return Ok(None);
        };
        let (certificate, der, key) = self.sign(subject).map_err(|error| Failure::failed(error.to_string()))?;
        let mut made = OwnCertificate {
            thumbprint: Thumbprint::sha256_of(&der),
            files: Vec::new(),
        };
        made.write(&directory.join(format!("{subject}-cert.pem")), &certificate)?;
        made.write(&directory.join(format!("{subject}-key.pem")), &key)?;
        Ok(Some(made))
    }

    /// The certificate as PEM and as DER, and its key as PEM.
    fn sign(&self, subject: &str) -> Result<(String, Vec<u8>, String), rcgen::Error> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, subject);
        let now = OffsetDateTime::now_utc();
        // The hub's clock may be behind.
        params.not_before = now - Duration::HOUR;
        params.not_after = now + Duration::days(self.valid_days.into());
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok((certificate.pem(), certificate.der().to_vec(), key.serialize_pem()))
    }
}

impl OwnCertificate {
    pub(super) fn thumbprint(&self) -> &str {
        self.thumbprint.as_str()
    }

    /// The identity was made: says where they are.
    pub(super) fn keep(mut self) {
        for file in std::mem::take(&mut self.files) {
            eprintln!("written: {}", file.display());
        }
    }

    /// What is there stays: it may be the only key of another identity.
    fn write(&mut self, path: &Path, text: &str) -> Result<(), Failure> {
        let failed = |error| Failure::failed(format!("cannot write {}: {error}", path.display()));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let mut file = file.map_err(failed)?;
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes()).map_err(failed)
    }
}

impl Drop for OwnCertificate {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = fs::remove_file(file);
        }
    }
}
