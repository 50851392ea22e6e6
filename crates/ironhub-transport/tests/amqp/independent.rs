//! Whole conversations with a client that shares no line with the hub: fe2o3-amqp.

mod back_end;
mod device;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::SenderAttachError;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::ErrorCondition;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Data, Message, MessageId, Properties};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use fe2o3_amqp::{Connection, Delivery, Receiver, Sender, Session};
use tokio::net::TcpStream;

use crate::hub::{DEVICE, HOST, TestHub};

struct Client {
    connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
}

impl Client {
    async fn open(hub: &TestHub, profile: SaslProfile) -> Self {
        let stream = TcpStream::connect(hub.address).await.unwrap();
        let builder = Connection::builder().container_id("fe2o3").hostname(HOST);
        let opened = builder.sasl_profile(profile).open_with_stream(stream).await;
        let mut connection = opened.unwrap();
        let session = Session::begin(&mut connection).await.unwrap();
        Self { connection, session }
    }

    /// By SASL PLAIN, as a device.
    async fn device(hub: &TestHub) -> Self {
        let password = hub.own_token(&format!("devices/{DEVICE}"));
        Self::open(hub, plain(&format!("{DEVICE}@sas.hub"), password)).await
    }

    /// By SASL PLAIN, with a policy's token.
    async fn service(hub: &TestHub) -> Self {
        Self::open(hub, plain("service@sas.root.hub", hub.policy_token("service", ""))).await
    }

    async fn sender(&mut self, address: &str) -> Sender {
        let name = format!("to {address}");
        Sender::attach(&mut self.session, name, address).await.unwrap()
    }

    async fn receiver(&mut self, address: &str) -> Receiver {
        let name = format!("from {address}");
        Receiver::attach(&mut self.session, name, address).await.unwrap()
    }

    /// Why the hub refuses a sender. On a session of its own: the client forgets the next link of a session on which one
    /// was refused.
    async fn refusal(&mut self, address: &str) -> ErrorCondition {
        let mut session = Session::begin(&mut self.connection).await.unwrap();
        match Sender::attach(&mut session, "refused", address).await {
            Err(SenderAttachError::RemoteClosedWithError(error)) => error.condition,
            other => panic!("{other:?}"),
        }
    }

    async fn put_token(&mut self, token: String) -> i32 {
        let mut requests = self.sender("$cbs").await;
        let mut replies = self.receiver("$cbs").await;
        let properties = ApplicationProperties::builder()
            .insert("operation", "put-token")
            .insert("type", "servicebus.windows.net:sastoken")
            .insert("name", HOST);
        let request = Message::builder()
            .properties(Properties::builder().message_id(7_u64).build())
            .application_properties(properties.build())
            .body(AmqpValue(token))
            .build();
        assert!(requests.send(request).await.unwrap().is_accepted());
        let reply = replies.recv::<Body<Value>>().await.unwrap();
        replies.accept(&reply).await.unwrap();
        let properties = reply.message().properties.as_ref().unwrap();
        assert_eq!(properties.correlation_id, Some(MessageId::Ulong(7)));
        let status = application_property(&reply, "status-code");
        requests.close().await.unwrap();
        replies.close().await.unwrap();
        match status {
            Some(SimpleValue::Int(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    /// Says goodbye, which the hub answers.
    async fn close(mut self) {
        self.session.end().await.unwrap();
        self.connection.close().await.unwrap();
    }
}

fn plain(user: &str, password: String) -> SaslProfile {
    SaslProfile::Plain {
        username: user.into(),
        password,
    }
}

fn application_property(delivery: &Delivery<Body<Value>>, name: &str) -> Option<SimpleValue> {
    let properties = delivery.message().application_properties.as_ref()?;
    properties.get(name).cloned()
}

fn text(delivery: &Delivery<Body<Value>>) -> String {
    let Body::Data(data) = delivery.body() else {
        panic!("no data")
    };
    let bytes = data.iter().flat_map(|Data(bytes)| bytes.iter().copied()).collect();
    String::from_utf8(bytes).unwrap()
}
