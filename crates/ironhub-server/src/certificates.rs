//! A development hub's own certificate authority, once per user, and the server certificate that it signs at each start.
//!
//! The authority is name-constrained: even with its key in hand nobody can use it to pose as a site of the Internet.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ironhub_model::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// The names a development hub may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostNames {
    /// What connection strings say.
    pub host_name: String,
    /// This machine's name, when it has one.
    pub machine_name: Option<String>,
    /// Where it listens.
    pub listen: IpAddr,
}

/// A server certificate with its key, leaf first, in PEM.
pub struct ServerCertificate {
    /// Leaf, then authority.
    pub chain_pem: String,
    /// The leaf's PKCS#8 key.
    pub key_pem: String,
}

/// The authority on disk.
#[derive(Debug)]
pub struct Authority {
    /// Its certificate, which clients trust: safe to hand out.
    pub certificate_file: PathBuf,
    certificate_pem: String,
    key_pem: String,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}; check its owner and mode, or name another data directory")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the authority's key.
    #[error("{path} has mode {mode:o}, so others can read the authority's key; run: chmod 600 {path}")]
    KeyModeTooWide {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A stored file is not what it should be, or a name cannot stand in a certificate.
    #[error("cannot make a certificate: {0}; delete the authority's directory to make a new one")]
    Encoding(#[from] rcgen::Error),
}

impl HostNames {
    /// Names that the certificate carries: every way in which a client on this machine can spell the hub.
    fn subject_alternatives(&self, is_permitted: impl Fn(&str) -> bool) -> Result<Vec<SanType>, rcgen::Error> {
        let mut names = vec!["localhost".to_owned(), self.host_name.clone()];
        names.extend(self.machine_name.clone().filter(|name| is_permitted(name)));
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            self.listen,
        ];
        names.retain(|name| match name.parse() {
            Ok(address) => {
                addresses.push(address);
                false
            }
            Err(_) => true,
        });
        addresses.retain(|address| !address.is_unspecified());
        names.sort();
        names.dedup();
        addresses.sort();
        addresses.dedup();
        let names = names.into_iter().map(|name| Ok(SanType::DnsName(name.try_into()?)));
        names
            .chain(addresses.into_iter().map(|address| Ok(SanType::IpAddress(address))))
            .collect()
    }

    /// Where the certificate of the authority for these names is, or will be, under `directory`.
    pub fn ca_file(&self, directory: &Path) -> PathBuf {
        let extra = self.extra_names();
        if extra.is_empty() {
            directory.join("ca.pem")
        } else {
            directory.join(extra.join("+")).join("ca.pem")
        }
    }

    /// Names outside what every development authority covers: each needs an authority of its own.
    fn extra_names(&self) -> Vec<String> {
        let covered = |name: &str| {
            name == "localhost"
                || name.ends_with(".localhost")
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        };
        let of_machine = self.machine_name.as_ref() == Some(&self.host_name);
        let mut names: Vec<String> = Vec::new();
        if !covered(&self.host_name) && !of_machine {
            names.push(self.host_name.clone());
        }
        if !self.listen.is_loopback() && !self.listen.is_unspecified() {
            names.push(self.listen.to_string());
        }
        names.sort();
        names.dedup();
        names
    }
}

impl Authority {
    /// Opens the authority under `directory`, making it when there is none. Hubs with the same names share one.
    pub fn open(directory: &Path, names: &HostNames, now: Timestamp) -> Result<Self, CertificateError> {
        let extra = names.extra_names();
        let certificate_file = names.ca_file(directory);
        let key_file = certificate_file.with_extension("key");
        if !key_file.exists() || !certificate_file.exists() {
            let extra: Vec<String> = extra.into_iter().chain(names.machine_name.clone()).collect();
            make_authority((&certificate_file, &key_file), &extra, now)?;
        }
        let mode = metadata(&key_file)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(CertificateError::KeyModeTooWide { path: key_file, mode });
        }
        let read = |path: &Path| {
            fs::read_to_string(path).map_err(|source| CertificateError::File {
                path: path.into(),
                source,
            })
        };
        Ok(Self {
            certificate_pem: read(&certificate_file)?,
            key_pem: read(&key_file)?,
            certificate_file,
        })
    }

    /// Its certificate, which clients trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// May it sign for this DNS name? A machine that was renamed keeps its authority, which does not know the new name;
    /// a leaf with a name outside the constraints would be refused as a whole.
    fn permits(&self, name: &str) -> bool {
        let Ok((_, pem)) = parse_x509_pem(self.certificate_pem.as_bytes()) else {
            return false;
        };
        let Ok(certificate) = pem.parse_x509() else {
            return false;
        };
        let Ok(Some(constraints)) = certificate.name_constraints() else {
            return false;
        };
        let permitted = constraints.value.permitted_subtrees.iter().flatten();
        permitted
            .into_iter()
            .any(|subtree| matches!(subtree.base, GeneralName::DNSName(permitted) if permitted == name))
    }

    /// Signs a fresh server certificate for these names, good for a year.
    pub fn sign(&self, names: &HostNames, now: Timestamp) -> Result<ServerCertificate, CertificateError> {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, KeyPair::from_pem(&self.key_pem)?)?;
        let mut leaf = CertificateParams::default();
        leaf.subject_alt_names = names.subject_alternatives(|name| self.permits(name))?;
        leaf.distinguished_name
            .push(DnType::CommonName, names.host_name.as_str());
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        (leaf.not_before, leaf.not_after) = validity(now, Duration::days(365));
        let key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&key, &issuer)?;
        Ok(ServerCertificate {
            chain_pem: format!("{}{}", certificate.pem(), self.certificate_pem),
            key_pem: key.serialize_pem(),
        })
    }
}

fn make_authority(
    (certificate_file, key_file): (&Path, &Path),
    extra: &[String],
    now: Timestamp,
) -> Result<(), CertificateError> {
    let mut authority = CertificateParams::default();
    authority
        .distinguished_name
        .push(DnType::CommonName, "IronHub development CA");
    authority.distinguished_name.push(DnType::OrganizationName, "IronHub");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: permitted_names(extra),
        excluded_subtrees: Vec::new(),
    });
    (authority.not_before, authority.not_after) = validity(now, Duration::days(3650));
    let key = KeyPair::generate()?;
    let certificate = authority.self_signed(&key)?;

    let directory = certificate_file.parent().unwrap_or(Path::new("."));
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| CertificateError::File {
        path: directory.into(),
        source,
    })?;
    // The certificate last: a pair is complete once both are there.
    write(key_file, 0o600, &key.serialize_pem())?;
    write(certificate_file, 0o644, &certificate.pem())
}

/// `localhost` and everything under `.localhost`, loopback addresses, and the extra names.
fn permitted_names(extra: &[String]) -> Vec<GeneralSubtree> {
    let mut permitted = vec![
        GeneralSubtree::DnsName("localhost".into()),
        GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
        GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(Ipv6Addr::LOCALHOST.octets(), 128)),
    ];
    permitted.extend(extra.iter().map(|name| match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(address.octets(), 32)),
        Ok(IpAddr::V6(address)) => GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(address.octets(), 128)),
        Err(_) => GeneralSubtree::DnsName(name.clone()),
    }));
    permitted
}

/// From a day ago, since clocks differ.
fn validity(now: Timestamp, length: Duration) -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::from_unix_timestamp(now.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    (now - Duration::days(1), now + length)
}

fn metadata(path: &Path) -> Result<fs::Metadata, CertificateError> {
    fs::metadata(path).map_err(|source| CertificateError::File {
        path: path.into(),
        source,
    })
}

/// Writes through a temporary file, so that a second hub starting at the same moment never reads half a file.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), CertificateError> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary);
    written
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| CertificateError::File {
            path: path.into(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::*;

    use super::*;

    fn names(host_name: &str) -> HostNames {
        HostNames {
            host_name: host_name.into(),
            machine_name: Some("builder".into()),
            listen: "127.0.0.1".parse().unwrap(),
        }
    }

    fn now() -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
    }

    #[test]
    fn the_authority_is_made_once_and_signs_for_every_spelling() {
        let directory = tempfile::tempdir().unwrap();
        let names = names("127.0.1.7");
        let first = Authority::open(directory.path(), &names, now()).unwrap();
        let again = Authority::open(directory.path(), &names, now()).unwrap();
        assert_eq!(first.certificate_pem(), again.certificate_pem());

        let leaf = first.sign(&names, now()).unwrap();
        let (_, leaf_pem) = parse_x509_pem(leaf.chain_pem.as_bytes()).unwrap();
        let leaf = leaf_pem.parse_x509().unwrap();
        let (_, authority_pem) = parse_x509_pem(first.certificate_pem().as_bytes()).unwrap();
        let authority = authority_pem.parse_x509().unwrap();
        leaf.verify_signature(Some(authority.public_key())).unwrap();
        let alternatives = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
        let spelled: Vec<String> = alternatives.iter().map(ToString::to_string).collect();
        let text = spelled.join(" ");
        for part in ["localhost", "builder", "7f:00:00:01", "7f:00:01:07"] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }

    #[test]
    fn the_authority_can_only_speak_for_this_machine() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::open(directory.path(), &names("localhost"), now()).unwrap();
        let (_, pem) = parse_x509_pem(authority.certificate_pem().as_bytes()).unwrap();
        let certificate = pem.parse_x509().unwrap();
        let constraints = certificate.name_constraints().unwrap().unwrap();
        let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
        let names: Vec<String> = permitted.iter().map(|subtree| subtree.base.to_string()).collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.iter().any(|name| name.contains("builder")), "{names:?}");
    }

    #[test]
    fn a_renamed_machine_keeps_its_authority_without_the_new_name() {
        let directory = tempfile::tempdir().unwrap();
        let first = Authority::open(directory.path(), &names("localhost"), now()).unwrap();
        let renamed = HostNames {
            machine_name: Some("other".into()),
            ..names("localhost")
        };
        let again = Authority::open(directory.path(), &renamed, now()).unwrap();
        assert_eq!(first.certificate_file, directory.path().join("ca.pem"));
        assert_eq!(first.certificate_pem(), again.certificate_pem());
        let leaf = again.sign(&renamed, now()).unwrap();
        let (_, pem) = parse_x509_pem(leaf.chain_pem.as_bytes()).unwrap();
        let leaf = pem.parse_x509().unwrap();
        let alternatives = &leaf.subject_alternative_name().unwrap().unwrap().value.general_names;
        assert!(
            !alternatives.contains(&GeneralName::DNSName("other")),
            "{alternatives:?}"
        );
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let names = HostNames {
            machine_name: None,
            ..names("localhost")
        };
        Authority::open(directory.path(), &names, now()).unwrap();
        let key = directory.path().join("ca.key");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Authority::open(directory.path(), &names, now()).unwrap_err();
        assert!(error.to_string().contains("has mode 640"), "{error}");
    }
}
