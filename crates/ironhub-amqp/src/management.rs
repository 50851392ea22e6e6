//! The management node of Event Hubs: what entities there are, and how far their partitions have come.
//!
//! The replies' bodies are maps that the hub's dialect writes; see [`crate::request::Reply::write`].

use crate::request::{Request, RequestError};

/// Address of the node; also as last segment behind an entity's name.
pub const NODE: &str = "$management";

/// What a client wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadRequest<'a> {
    /// About the event hub as a whole.
    EventHub {
        /// Its name.
        name: &'a str,
    },
    /// About one partition.
    Partition {
        /// Name of the event hub.
        name: &'a str,
        /// The partition as the client writes it.
        partition: &'a str,
    },
}

impl<'a> ReadRequest<'a> {
    /// Reads a request of the operation `READ`.
    pub fn read(request: &Request<'a>) -> Result<Self, RequestError> {
        if request.operation != "READ" {
            return Err(RequestError::Property("operation"));
        }
        match request.kind {
            "com.microsoft:eventhub" => Ok(Self::EventHub { name: request.name }),
            "com.microsoft:partition" => {
                let partition = request.properties.value("partition").and_then(|value| value.as_text());
                let partition = partition.ok_or(RequestError::Property("partition"))?;
                Ok(Self::Partition {
                    name: request.name,
                    partition,
                })
            }
            _ => Err(RequestError::Property("type")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::write_application_properties;

    #[track_caller]
    fn check(properties: &[(&str, &str)], expected: Result<ReadRequest<'_>, RequestError>) {
        let mut out = Vec::new();
        write_application_properties(&mut out, properties.iter().copied());
        assert_eq!(ReadRequest::read(&Request::read(&out).unwrap()), expected);
    }

    #[test]
    fn reads() {
        let (read, name) = (("operation", "READ"), ("name", "eh"));
        let (hub, partition) = (("type", "com.microsoft:eventhub"), ("type", "com.microsoft:partition"));
        check(&[read, name, hub], Ok(ReadRequest::EventHub { name: "eh" }));
        check(
            &[read, name, partition, ("partition", "3")],
            Ok(ReadRequest::Partition {
                name: "eh",
                partition: "3",
            }),
        );
        check(&[read, name, partition], Err(RequestError::Property("partition")));
        check(
            &[read, name, ("type", "com.microsoft:queue")],
            Err(RequestError::Property("type")),
        );
        check(
            &[("operation", "DELETE"), name, hub],
            Err(RequestError::Property("operation")),
        );
    }
}
