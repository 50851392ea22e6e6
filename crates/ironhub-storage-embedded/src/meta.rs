//! What a data directory is: whose, in which format, for which profile. Written once, checked at each start.

mod data_dir;

use std::path::{Path, PathBuf};

use ironhub_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::data_dir::DataDir;
pub(crate) use self::data_dir::create_private;

/// The record's name in the data directory.
const FILE_NAME: &str = "meta.json";
/// The layout of the directory.
const FORMAT: u32 = 1;
/// How a device finds its partition.
const HASH: &str = "xxh3_64";

/// The two ways to run a hub. A directory remembers its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// A local hub with fixed, documented keys.
    Dev,
    /// A hub that others rely on.
    Production,
}

/// What the configuration says about the hub in this directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaWanted {
    /// The hub's id in keys, stream names and metrics.
    pub hub_id: String,
    /// The hub's name.
    pub hub_name: String,
    /// Partitions of its event log.
    pub partitions: u32,
    /// How it is run.
    pub profile: Profile,
}

/// What a directory was created with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The layout of the directory.
    pub format: u32,
    /// The hub's id in keys, stream names and metrics.
    pub hub_id: String,
    /// The hub's name.
    pub hub_name: String,
    /// Partitions of its event log.
    pub partitions: u32,
    /// How a device finds its partition.
    pub hash: String,
    /// How it is run.
    pub profile: Profile,
    /// When the directory was created.
    pub created: Timestamp,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// A file or the directory cannot be read or written.
    #[error("cannot use {path}: {source}", path = .path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read what only the hub may.
    #[error("{path} has mode {mode:04o} and others can get at it; run: chmod {wanted:o} {path}", path = .path.display())]
    TooWide {
        /// What.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it may be at most.
        wanted: u32,
    },
    /// Another process uses the directory.
    #[error("{path} is in use by another process", path = .path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The record is not one that this program writes.
    #[error("{path} cannot be understood: {reason}", path = .path.display())]
    Malformed {
        /// The record.
        path: PathBuf,
        /// Where it goes wrong.
        reason: String,
    },
    /// The directory was created with another value, which is fixed.
    #[error("{path} was created with {key} = {stored}, but {wanted} is wanted", path = .path.display())]
    Differs {
        /// The record.
        path: PathBuf,
        /// Which value.
        key: &'static str,
        /// What the directory has.
        stored: String,
        /// What the configuration says.
        wanted: String,
    },
    /// A development hub's keys are known to everyone.
    #[error("{path} belongs to a development hub, whose keys everyone knows; a production hub needs a directory of its own", path = .path.display())]
    DevDirectory {
        /// The directory.
        path: PathBuf,
    },
}

impl Meta {
    /// Reads the record and compares it with what is wanted, or writes it when the directory has none. `now` becomes
    /// the time of creation.
    pub fn open_or_create(directory: &DataDir, wanted: &MetaWanted, now: Timestamp) -> Result<Self, MetaError> {
        let Some(bytes) = directory.read_file(FILE_NAME)? else {
            let meta = Self::of(wanted, now);
            directory.write_file(FILE_NAME, meta.to_json().as_bytes())?;
            return Ok(meta);
        };
        let meta = Self::parse(&bytes).map_err(|reason| MetaError::Malformed {
            path: directory.path().join(FILE_NAME),
            reason,
        })?;
        meta.check(directory, wanted)?;
        Ok(meta)
    }

    /// The record of a directory that another process may hold; `None` when there is no hub.
    pub fn look(directory: &Path) -> Result<Option<Self>, MetaError> {
        let Some(bytes) = DataDir::look(directory, FILE_NAME)? else {
            return Ok(None);
        };
        let meta = Self::parse(&bytes).map_err(|reason| MetaError::Malformed {
            path: directory.join(FILE_NAME),
            reason,
        })?;
        Ok(Some(meta))
    }

    fn of(wanted: &MetaWanted, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            hub_id: wanted.hub_id.clone(),
            hub_name: wanted.hub_name.clone(),
            partitions: wanted.partitions,
            hash: HASH.into(),
            profile: wanted.profile,
            created: now,
        }
    }

    fn to_json(&self) -> String {
        serde_json::json!(self).to_string() + "\n"
    }

    /// The format first: another one may have other members.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {
                serde_json::from_value(value).map_err(|error| error.to_string())
            }
            Some(format) => Err(format!("it has format {format}, this program knows format {FORMAT}")),
            None => Err("it has no format".into()),
        }
    }

    fn check(&self, directory: &DataDir, wanted: &MetaWanted) -> Result<(), MetaError> {
        if (self.profile, wanted.profile) == (Profile::Dev, Profile::Production) {
            return Err(MetaError::DevDirectory {
                path: directory.path().to_owned(),
            });
        }
        let wanted = Self::of(wanted, self.created);
        let profile = |profile| match profile {
            Profile::Dev => "dev".to_owned(),
            Profile::Production => "production".to_owned(),
        };
        let values = [
            ("profile", profile(self.profile), profile(wanted.profile)),
            ("hub_id", self.hub_id.clone(), wanted.hub_id),
            ("hub_name", self.hub_name.clone(), wanted.hub_name),
            ("partitions", self.partitions.to_string(), wanted.partitions.to_string()),
            ("hash", self.hash.clone(), wanted.hash),
        ];
        match values.into_iter().find(|(_, stored, wanted)| stored != wanted) {
            None => Ok(()),
            Some((key, stored, wanted)) => Err(MetaError::Differs {
                path: directory.path().join(FILE_NAME),
                key,
                stored,
                wanted,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> MetaWanted {
        MetaWanted {
            hub_id: "main".into(),
            hub_name: "ironhub".into(),
            partitions: 4,
            profile: Profile::Production,
        }
    }

    /// What the start says when a directory of `stored` is opened as `wanted`.
    #[track_caller]
    fn check(stored: &MetaWanted, wanted: &MetaWanted, expected: Option<&str>) {
        let parent = tempfile::tempdir().unwrap();
        let directory = DataDir::open(&parent.path().join("data")).unwrap();
        let created = Meta::open_or_create(&directory, stored, Timestamp::from_secs(7)).unwrap();
        match (
            Meta::open_or_create(&directory, wanted, Timestamp::from_secs(8)),
            expected,
        ) {
            (Ok(opened), None) => assert_eq!(opened, created),
            (Err(error), Some(text)) => assert!(error.to_string().ends_with(text), "{error}"),
            (result, _) => panic!("{result:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_a_directory_was_created_with_stays() {
        let change = |change: fn(&mut MetaWanted)| {
            let mut changed = wanted();
            change(&mut changed);
            changed
        };
        let dev = change(|w| w.profile = Profile::Dev);
        check(&wanted(), &wanted(), None);
        check(
            &wanted(),
            &change(|w| w.partitions = 8),
            Some("meta.json was created with partitions = 4, but 8 is wanted"),
        );
        check(
            &wanted(),
            &change(|w| w.hub_id = "b".into()),
            Some("hub_id = main, but b is wanted"),
        );
        check(
            &wanted(),
            &change(|w| w.hub_name = "b".into()),
            Some("hub_name = ironhub, but b is wanted"),
        );
        check(&wanted(), &dev, Some("profile = production, but dev is wanted"));
        check(&dev, &dev, None);
        check(
            &dev,
            &wanted(),
            Some(
                "belongs to a development hub, whose keys everyone knows; a production hub needs a directory of its own",
            ),
        );
    }

    #[track_caller]
    fn check_malformed(text: &str, reason: &str) {
        assert!(Meta::parse(text.as_bytes()).unwrap_err().contains(reason), "{text}");
    }

    #[test]
    fn a_record_that_is_none_is_refused() {
        check_malformed("", "EOF");
        check_malformed("{}", "no format");
        check_malformed(r#"{"format":2}"#, "format 2, this program knows format 1");
        check_malformed(r#"{"format":1}"#, "missing field");
    }

    #[test]
    fn the_record_reads_back() {
        let text = r#"{"format":1,"hub_id":"main","hub_name":"ironhub","partitions":4,"hash":"xxh3_64","profile":"dev","created":"2026-01-02T03:04:05Z"}"#;
        let meta = Meta::parse(text.as_bytes()).unwrap();
        assert_eq!(meta.created, Timestamp::parse("2026-01-02T03:04:05Z").unwrap());
        assert_eq!(meta.to_json().trim_end(), text);
    }
}
