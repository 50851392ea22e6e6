//! The keys of a development hub: fixed and public, so that connection strings can be written into examples and tests.
//!
//! Production refuses them; a development hub that listens beyond loopback replaces them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ironhub_model::SymmetricKey;
use ironhub_model::symmetric_key::InvalidKey;

/// The device that a fresh development hub registers, named by Microsoft's Python tutorials.
pub const DEVICE_ID: &str = "MyPythonDevice";

/// The key of a policy or device of a development hub: 32 bytes of text that say what they are.
pub fn primary(name: &str) -> Result<SymmetricKey, InvalidKey> {
    key(name, "primary")
}

/// The second key.
pub fn secondary(name: &str) -> Result<SymmetricKey, InvalidKey> {
    key(name, "secondary")
}

/// Is this one of the public keys? Recognised by its prefix, whatever the name.
pub fn is_public(key: &SymmetricKey) -> bool {
    key.bytes().starts_with(PREFIX.as_bytes())
}

const PREFIX: &str = "dev-only/";

fn key(name: &str, slot: &str) -> Result<SymmetricKey, InvalidKey> {
    let mut text = format!("{PREFIX}{slot}/{name}");
    text.truncate(ironhub_model::limits::KEY_BYTES_GENERATED);
    let padding = ironhub_model::limits::KEY_BYTES_GENERATED - text.len();
    text.extend(std::iter::repeat_n('.', padding));
    SymmetricKey::parse(&STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fixed_and_recognised() {
        let key = primary("iothubowner").unwrap();
        assert_eq!(key.bytes(), b"dev-only/primary/iothubowner....");
        assert_eq!(key.expose(), "ZGV2LW9ubHkvcHJpbWFyeS9pb3RodWJvd25lci4uLi4=");
        assert!(is_public(&key) && is_public(&secondary("service").unwrap()));
        assert!(!is_public(&SymmetricKey::from_bytes(&[7; 32]).unwrap()));
    }

    #[test]
    fn the_five_policies_and_the_device_have_different_keys() {
        let names = [
            "iothubowner",
            "service",
            "device",
            "registryRead",
            "registryReadWrite",
            DEVICE_ID,
        ];
        let keys: std::collections::HashSet<_> = names
            .iter()
            .flat_map(|name| [primary(name).unwrap(), secondary(name).unwrap()])
            .map(String::from)
            .collect();
        assert_eq!(keys.len(), 12);
    }
}
