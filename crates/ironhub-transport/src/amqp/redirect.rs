//! What the hub's own address says of its event hub: go to the event hub's address (Azure docs: "Read device-to-cloud
//! messages from the built-in endpoint"; the old SDKs and tools follow this redirect).

use ironhub_amqp::performative::{AmqpError, condition};
use ironhub_amqp::types::{Encoded, Value, encode};

/// Clients take the address apart by the port, which has to be this one.
const PORT: i32 = 5671;

/// Nobody but the hub sends to the event hub.
pub(super) fn no_senders(event_hub: &str) -> AmqpError {
    let text = format!("Nobody but the hub sends to the event hub '{event_hub}'.");
    AmqpError::new(condition::UNAUTHORIZED_ACCESS, text)
}

/// The event hub is at `host`, under its own name. A port behind the host is none of the name's.
pub(super) fn to_event_hub(host: &str, event_hub: &str) -> AmqpError {
    let host = match host.split_once(':') {
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    };
    let address = format!("amqps://{host}:{PORT}/{event_hub}/$management");
    let mut info = Vec::new();
    encode::map(&mut info, |map| {
        for (name, value) in [
            ("hostname", Value::String(host)),
            ("network-host", Value::String(host)),
            ("port", Value::Int(PORT)),
            ("address", Value::String(&address)),
        ] {
            map.push_symbol(name);
            map.push(value);
        }
    });
    AmqpError {
        condition: condition::LINK_REDIRECT.into(),
        description: None,
        info: Encoded::from_bytes(&info).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_find_the_event_hub() {
        let error = to_event_hub("hub.example.test:5671", "eh");
        assert_eq!((&*error.condition, error.description), ("amqp:link:redirect", None));
        assert_eq!(error.info.entry("port"), Some(Value::Int(5671)));
        for name in ["hostname", "network-host"] {
            assert_eq!(error.info.entry(name), Some(Value::String("hub.example.test")));
        }
        let address = "amqps://hub.example.test:5671/eh/$management";
        assert_eq!(error.info.entry("address"), Some(Value::String(address)));
    }
}
