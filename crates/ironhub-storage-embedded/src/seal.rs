//! Documents that hold keys are encrypted at rest, under a key that lies beside the database.

use std::path::Path;

use bytes::Bytes;
use ironhub_hub::ports::{Key, StoreError, Table};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::meta::DataDir;
use crate::state::StateOpenError;

/// The key's name in the data directory.
pub(crate) const FILE_NAME: &str = "master.key";
/// AES-256.
const KEY_BYTES: usize = 32;
/// First byte of a sealed document: AES-256-GCM, random nonce, table and key as associated data.
const FORMAT: u8 = 1;
/// What a proof is made over: no table has this name.
const PROOF_NAME: &[u8] = b"ironhub master key";

/// Seals documents of secret tables and lets others pass.
///
/// Nonces are random. NIST SP 800-38D allows 2³² of them under one key; at ten registrations, key changes or setting
/// changes in each second of the day that lasts thirteen years.
pub(crate) struct Seal {
    key: LessSafeKey,
    random: SystemRandom,
}

impl Seal {
    /// Reads the key, or generates it when nothing was sealed yet.
    pub(crate) fn load(directory: &DataDir, is_in_use: bool) -> Result<Self, StateOpenError> {
        match directory.read_file(FILE_NAME)? {
            Some(bytes) => Self::of(bytes, directory.path()),
            None if is_in_use => Err(StateOpenError::KeyMissing {
                path: directory.path().join(FILE_NAME),
            }),
            None => {
                let bytes = random_key()?;
                directory.write_file(FILE_NAME, &bytes)?;
                Self::new(&bytes)
            }
        }
    }

    /// The key of a directory, from the content of its file.
    pub(crate) fn of(bytes: Vec<u8>, directory: &Path) -> Result<Self, StateOpenError> {
        let bytes = <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| StateOpenError::KeyWrong {
            path: directory.join(FILE_NAME),
        })?;
        Self::new(&bytes)
    }

    /// A key that is never written.
    pub(crate) fn ephemeral() -> Result<Self, StateOpenError> {
        Self::new(&random_key()?)
    }

    fn new(key: &[u8; KEY_BYTES]) -> Result<Self, StateOpenError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| StateOpenError::System("bad key".into()))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        })
    }

    /// Something that only this key could have sealed.
    pub(crate) fn proof(&self) -> Result<Vec<u8>, StateOpenError> {
        self.encrypt(PROOF_NAME, &[]).map_err(|_| no_random())
    }

    /// Was it this key?
    pub(crate) fn is_proven_by(&self, proof: Vec<u8>) -> bool {
        self.decrypt(PROOF_NAME, proof).is_some()
    }

    /// The stored form of a document.
    pub(crate) fn close(&self, table: Table, key: &Key, content: &Bytes) -> Result<Bytes, StoreError> {
        if !table.is_secret() {
            return Ok(content.clone());
        }
        // Without random numbers nothing can be sealed, and nothing may be stored unsealed.
        let sealed = self
            .encrypt(&name(table, key), content)
            .map_err(|_| StoreError::Stopped)?;
        Ok(sealed.into())
    }

    /// The document in its stored form. A row that was changed, or moved to another key, does not open.
    pub(crate) fn open(&self, table: Table, key: &Key, stored: Vec<u8>) -> Result<Bytes, StoreError> {
        if !table.is_secret() {
            return Ok(stored.into());
        }
        let opened = self.decrypt(&name(table, key), stored);
        opened
            .map(Bytes::from)
            .ok_or_else(|| StoreError::Damaged(format!("{key:?} in {table:?} does not open under the master key")))
    }

    fn encrypt(&self, name: &[u8], content: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + content.len() + AES_256_GCM.tag_len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        let mut body = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(name), &mut body)?;
        sealed.append(&mut body);
        Ok(sealed)
    }

    fn decrypt(&self, name: &[u8], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let (&FORMAT, rest) = sealed.split_first()? else {
            return None;
        };
        let (nonce, _) = rest.split_first_chunk::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let body = sealed.get_mut(1 + NONCE_LEN..)?;
        let content = self.key.open_in_place(nonce, Aad::from(name), body).ok()?;
        Some(content.to_vec())
    }
}

/// What binds a document to its place: the table's name, a zero byte, the key.
fn name(table: Table, key: &Key) -> Vec<u8> {
    let table: &[u8] = match table {
        Table::Devices => b"devices",
        Table::Modules => b"modules",
        Table::Twins => b"twins",
        Table::Sessions => b"sessions",
        Table::Hub => b"hub",
        Table::Presence => b"presence",
    };
    [table, &[0], key.as_str().as_bytes()].concat()
}

fn random_key() -> Result<[u8; KEY_BYTES], StateOpenError> {
    let mut key = [0; KEY_BYTES];
    SystemRandom::new().fill(&mut key).map_err(|_| no_random())?;
    Ok(key)
}

fn no_random() -> StateOpenError {
    StateOpenError::System("the system gives no random numbers".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_place_under_the_same_key_opens() {
        let seal = Seal::ephemeral().unwrap();
        let (id, content) = (Key::new("d1"), Bytes::from_static(b"primary key"));
        let sealed = seal.close(Table::Devices, &id, &content).unwrap().to_vec();
        assert!(!sealed.windows(7).any(|bytes| bytes == b"primary"));
        assert_eq!(seal.open(Table::Devices, &id, sealed.clone()), Ok(content));

        let damaged = |result: Result<Bytes, StoreError>| matches!(result, Err(StoreError::Damaged(_)));
        assert!(damaged(seal.open(Table::Devices, &Key::new("d2"), sealed.clone())));
        assert!(damaged(seal.open(Table::Modules, &id, sealed.clone())));
        let other = Seal::ephemeral().unwrap();
        assert!(damaged(other.open(Table::Devices, &id, sealed.clone())));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(damaged(seal.open(Table::Devices, &id, changed)), "byte {index}");
            assert!(
                damaged(seal.open(Table::Devices, &id, sealed[..index].to_vec())),
                "cut at {index}"
            );
        }
    }

    #[test]
    fn sealing_twice_gives_two_texts() {
        let seal = Seal::ephemeral().unwrap();
        let seal_once = || {
            seal.close(Table::Hub, &Key::new("settings"), &Bytes::from_static(b"x"))
                .unwrap()
        };
        assert_ne!(seal_once(), seal_once());
    }

    #[test]
    fn open_tables_are_stored_as_they_are() {
        let seal = Seal::ephemeral().unwrap();
        let content = Bytes::from_static(b"{}");
        assert_eq!(seal.close(Table::Twins, &Key::new("d1"), &content), Ok(content));
    }
}
