//! Where the event hub of a hub is. Its own address tells by a redirect, as Azure's does (Azure documentation "Read
//! device-to-cloud messages from the built-in endpoint").

use ironhub_amqp::connection::Event;
use ironhub_amqp::management;
use ironhub_amqp::message::{Body, MessageId, Properties, write_application_properties, write_properties};
use ironhub_amqp::performative::{AmqpError, Attach, Role, Source, Target, condition};
use ironhub_amqp::request::Reply;
use ironhub_amqp::types::Value;

use crate::error::Error;
use crate::service::amqp::{AmqpConnection, AmqpConnector, Audience, RequestLinks, detached};
use crate::stream::Endpoint;

const ASKED: &str = "messages/events/$management";

/// An event hub and its address.
#[derive(Debug, Clone)]
pub(super) struct Place {
    endpoint: Endpoint,
    /// Its name.
    pub(super) path: String,
}

impl Place {
    /// Asks the hub.
    pub(super) async fn find(connector: &AmqpConnector) -> Result<Self, Error> {
        let mut connection = connector.connect_to_hub().await?;
        let attach = Attach {
            source: Some(Source::at(ASKED)),
            target: Some(Target::at("ironhub-client")),
            ..Attach::new("where-are-events", Role::Receiver)
        };
        let redirect = connection.attach_expecting_redirect(attach).await?;
        connection.close().await;
        Self::read(&redirect, &connector.endpoint)
    }

    /// Connects to it, with a token for it.
    pub(super) async fn connect(&self, connector: &AmqpConnector) -> Result<AmqpConnection, Error> {
        let audience = format!("sb://{}/{}", self.endpoint.host, self.path);
        connector.connect(&self.endpoint, Audience::EventHub(audience)).await
    }

    /// A redirect to the host that was asked means the same listener, whatever port the hub believes to have.
    fn read(redirect: &AmqpError, asked: &Endpoint) -> Result<Self, Error> {
        let text = |name: &str| {
            redirect
                .info
                .entry(name)
                .and_then(|value| value.as_text())
                .map(str::to_owned)
        };
        let missing = || Error::Protocol("a redirect without hostname and address".to_owned());
        let host = text("hostname").ok_or_else(missing)?;
        let address = text("address").ok_or_else(missing)?;
        let path = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
        let path = path.split_once('/').map_or("", |(_, path)| path).trim_end_matches('/');
        let path = path
            .strip_suffix(management::NODE)
            .unwrap_or(path)
            .trim_end_matches('/');
        let port = redirect
            .info
            .entry("port")
            .and_then(|port| port.as_i64())
            .and_then(|port| u16::try_from(port).ok());
        let port = if host.eq_ignore_ascii_case(&asked.host) {
            None
        } else {
            port
        };
        Ok(Self {
            endpoint: Endpoint {
                host,
                port: port.unwrap_or(asked.port),
                web_socket: None,
            },
            path: path.to_owned(),
        })
    }
}

impl AmqpConnection {
    async fn attach_expecting_redirect(&mut self, attach: Attach) -> Result<AmqpError, Error> {
        let asked = self.request_link(attach)?;
        self.wait_for(|event| {
            if matches!(event, Event::Attached { link, .. } if *link == asked) {
                return Some(Err(Error::Protocol("the hub names no event hub".to_owned())));
            }
            if let Event::Detached {
                link,
                error: Some(error),
            } = event
                && *link == asked
                && error.condition == condition::LINK_REDIRECT
            {
                return Some(Ok(error.clone()));
            }
            detached(event, asked)
        })
        .await?
    }
}

/// What there is in an event hub.
pub(super) struct Directory {
    links: RequestLinks,
    event_hub: String,
}

impl Directory {
    pub(super) async fn attach(connection: &mut AmqpConnection, event_hub: &str) -> Result<Self, Error> {
        let links = RequestLinks::attach(connection, management::NODE, "management").await?;
        Ok(Self {
            links,
            event_hub: event_hub.to_owned(),
        })
    }

    /// The partitions' IDs.
    pub(super) async fn partitions(&mut self, connection: &mut AmqpConnection) -> Result<Vec<String>, Error> {
        let reply = self.read(connection, "com.microsoft:eventhub", None).await?;
        entry(&reply, "partition_ids", |value| {
            let Value::Array(ids) = value else { return None };
            Some(ids.iter().filter_map(|id| id.as_text()).map(str::to_owned).collect())
        })
    }

    /// The offset of the newest event; `-1` when there never was one.
    pub(super) async fn last_offset(
        &mut self,
        connection: &mut AmqpConnection,
        partition: &str,
    ) -> Result<String, Error> {
        let reply = self
            .read(connection, "com.microsoft:partition", Some(partition))
            .await?;
        entry(&reply, "last_enqueued_offset", |value| {
            value.as_text().map(str::to_owned)
        })
    }

    async fn read(
        &mut self,
        connection: &mut AmqpConnection,
        kind: &str,
        partition: Option<&str>,
    ) -> Result<Vec<u8>, Error> {
        let name = self.event_hub.clone();
        let ask = self
            .links
            .ask(connection, |out, id| write(out, id, &[kind, &name], partition));
        ask.await
    }
}

fn write(out: &mut Vec<u8>, id: MessageId<'_>, kind_and_name: &[&str; 2], partition: Option<&str>) {
    let [kind, name] = *kind_and_name;
    let properties = Properties {
        message_id: Some(id),
        reply_to: Some("management"),
        ..Properties::default()
    };
    write_properties(out, &properties);
    let partition = partition.map(|partition| ("partition", partition));
    let asked = [("operation", "READ"), ("type", kind), ("name", name)];
    write_application_properties(out, asked.into_iter().chain(partition));
}

/// A member of the map that is a reply's body.
fn entry<T>(reply: &[u8], name: &str, read: impl FnOnce(Value<'_>) -> Option<T>) -> Result<T, Error> {
    let reply = Reply::read(reply).map_err(|error| Error::Protocol(error.to_string()))?;
    let value = match reply.body {
        Body::Value(Value::Map(map)) => map.value(name),
        Body::Value(_) | Body::Empty | Body::Data(_) | Body::Sequence(_) => None,
    };
    let missing = || Error::Protocol(format!("the event hub does not tell its {name}"));
    value.and_then(read).ok_or_else(missing)
}

#[cfg(test)]
mod tests {
    use ironhub_amqp::types::Encoded;

    use super::*;

    #[track_caller]
    fn check(host: &str, address: &str, expected: (&str, u16, &str)) {
        let redirect = AmqpError {
            info: Encoded::map(|map| {
                for (name, value) in [("hostname", host), ("address", address)] {
                    map.push_symbol(name);
                    map.push(value);
                }
                map.push_symbol("port");
                map.push(5671_i32);
            }),
            ..AmqpError::new(condition::LINK_REDIRECT, "")
        };
        let asked = Endpoint {
            host: "hub.example".to_owned(),
            port: 7000,
            web_socket: None,
        };
        let place = Place::read(&redirect, &asked).unwrap();
        let found = (place.endpoint.host.as_str(), place.endpoint.port, place.path.as_str());
        assert_eq!(found, expected);
    }

    #[test]
    fn redirects() {
        check(
            "eh.example",
            "amqps://eh.example:5671/iothub-ehub-1/$management",
            ("eh.example", 5671, "iothub-ehub-1"),
        );
        check(
            "hub.example",
            "amqps://hub.example:5671/hub",
            ("hub.example", 7000, "hub"),
        );
    }
}
