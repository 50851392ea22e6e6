//! Readers of partitions: where they begin, what they get, who may read beside whom.

use std::time::Duration;

use ironhub_amqp::connection::{Delivery, Event, LinkId};
use ironhub_amqp::management;
use ironhub_amqp::message::{self, Body, Message, MessageId, Properties};
use ironhub_amqp::performative::{AmqpError, Attach, DeliveryState, Role, Source, Target, condition};
use ironhub_amqp::types::{Descriptor, Encoded, Value, encode};
use ironhub_model::limits::AMQP_UNREAD_MAX;
use ironhub_model::registry::Precondition;
use ironhub_model::{ConsumerGroup, D2cMessage, IdentityId, PartitionId};

use tokio::net::TcpSocket;
use tokio::time::{pause, resume, sleep};

use crate::client::{Answer, Client, Pair};
use crate::hub::{DEVICE, EVENT_HUB, HOST, TestHub, start};

const SELECTOR: &str = "apache.org:selector-filter:string";
const GROUP: &str = "Billing";

/// What a reader asks for.
#[derive(Clone, Copy)]
struct Wish<'a> {
    group: &'a str,
    partition: &'a str,
    /// What follows `amqp.annotation.x-opt-`.
    selector: &'a str,
    level: Option<i64>,
    metrics: bool,
}

const WISH: Wish<'_> = Wish {
    group: "$Default",
    partition: "0",
    selector: "",
    level: None,
    metrics: false,
};

impl Wish<'_> {
    fn attach(&self, name: &str) -> Attach {
        let mut source = Source::at(format!(
            "amqps://{HOST}/{EVENT_HUB}/ConsumerGroups/{}/Partitions/{}",
            self.group, self.partition
        ));
        if !self.selector.is_empty() {
            source.filter = Encoded::map(|map| {
                map.push(Value::Symbol(SELECTOR));
                map.nested(|out| {
                    encode::descriptor(out, Descriptor::Name(SELECTOR));
                    encode::value(out, format!("amqp.annotation.x-opt-{}", self.selector).as_str());
                });
            });
        }
        let mut attach = Attach::new(name, Role::Receiver);
        attach.source = Some(source);
        attach.target = Some(Target::at(name));
        if let Some(level) = self.level {
            attach.properties = Encoded::map(|map| {
                map.push(Value::Symbol("com.microsoft:epoch"));
                map.push(level);
            });
        }
        if self.metrics {
            attach.desired_capabilities = Encoded::symbols(["com.microsoft:enable-receiver-runtime-metric"]);
        }
        attach
    }
}

async fn client(hub: &TestHub) -> Client {
    Client::with_token(hub, &hub.policy_token("service", "")).await
}

/// Stores messages of the device, and finds its partition.
async fn send(hub: &TestHub, bodies: &[&[u8]]) -> PartitionId {
    let id = IdentityId::parse(DEVICE).unwrap();
    let token = hub.own_token(&format!("devices/{DEVICE}"));
    let principal = hub.hub.auth.authorize_device(&id, Some(&token), &[]).await.unwrap();
    let sender = hub.hub.telemetry.sender(&principal, None);
    for body in bodies {
        let message = D2cMessage {
            body,
            ..D2cMessage::default()
        };
        sender.submit(&message).unwrap().durable().await.unwrap();
    }
    let mut partitions = (0..hub.hub.events.partitions()).map(PartitionId);
    let holds_some = |partition: &PartitionId| hub.hub.events.bounds(*partition).unwrap().next.0 > 0;
    partitions.find(holds_some).unwrap()
}

async fn delivery(client: &mut Client) -> Delivery {
    let wanted = |event: &Event| matches!(event, Event::Delivery(_) | Event::Detached { .. });
    let Event::Delivery(delivery) = client.until(|event| wanted(&event).then_some(event)).await else {
        panic!("the link has ended")
    };
    delivery
}

/// Takes the next event, and frees its credit.
async fn event(client: &mut Client, link: LinkId) -> Delivery {
    let delivery = delivery(client).await;
    assert_eq!(delivery.receipt.link(), link);
    let _ = client.amqp.settle(delivery.receipt, DeliveryState::Accepted);
    delivery
}

fn sequence(delivery: &Delivery) -> i64 {
    let message = Message::parse(&delivery.payload).unwrap();
    let sequence = message.message_annotations.value("x-opt-sequence-number");
    sequence.unwrap().as_i64().unwrap()
}

fn body(delivery: &Delivery) -> Vec<u8> {
    let Body::Data(data) = Message::parse(&delivery.payload).unwrap().bare.body else {
        panic!("no data")
    };
    data.collect::<Vec<_>>().concat()
}

/// A round trip: what the hub had to say before has come by then. Counts the events among it.
async fn events_until_answer(client: &mut Client, pair: Pair) -> usize {
    let mut request = Vec::new();
    let properties = Properties {
        message_id: Some(MessageId::Ulong(7)),
        reply_to: Some("client"),
        ..Properties::default()
    };
    message::write_properties(&mut request, &properties);
    let asked = [
        ("operation", "READ"),
        ("type", "com.microsoft:eventhub"),
        ("name", EVENT_HUB),
    ];
    message::write_application_properties(&mut request, asked);
    client.send(pair.requests, &request).await;
    let mut events = 0;
    loop {
        let delivery = delivery(client).await;
        if delivery.receipt.link() == pair.replies {
            return events;
        }
        events += 1;
    }
}

#[tokio::test]
async fn an_event_comes_settled_with_its_place_and_as_it_was_stored() {
    let hub = start().await;
    hub.clock.advance(Duration::from_micros(1999));
    let partition = send(&hub, &[b"21.5"]).await.to_string();
    let mut client = client(&hub).await;
    let wish = Wish {
        partition: &partition,
        ..WISH
    };
    let link = client.attach(wish.attach("r")).await.unwrap();
    client.amqp.grant(link, 1).unwrap();
    let delivery = event(&mut client, link).await;
    assert!(delivery.receipt.is_settled());
    let message = Message::parse(&delivery.payload).unwrap();
    assert!(message.delivery_annotations.is_empty());
    let text = |name: &str| message.message_annotations.value(name);
    let enqueued_at = Some(Value::Timestamp(1_767_225_600_001));
    assert_eq!(text("x-opt-sequence-number"), Some(Value::Long(0)));
    assert_eq!(text("x-opt-offset"), Some(Value::String("0")));
    assert_eq!(text("x-opt-enqueued-time"), enqueued_at);
    assert_eq!(text("iothub-enqueuedtime"), enqueued_at);
    assert_eq!(text("iothub-connection-device-id"), Some(Value::String(DEVICE)));
    assert_eq!(text("iothub-message-source"), Some(Value::String("Telemetry")));
    let method = r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#;
    assert_eq!(text("iothub-connection-auth-method"), Some(Value::String(method)));
    assert!(text("iothub-connection-auth-generation-id").is_some());
    assert_eq!(body(&delivery), b"21.5");
}

#[tokio::test]
async fn readers_begin_where_they_ask() {
    let hub = start().await;
    let mut partition = PartitionId(0);
    for second in 0..4 {
        partition = send(&hub, &[b"x"]).await;
        hub.clock.advance(Duration::from_secs(second + 1));
    }
    // Taken at 0, 1, 3 and 6 seconds; `None` is what comes next.
    for (selector, first) in [
        ("", Some(0)),
        ("offset > '-1'", Some(0)),
        ("offset >= '2'", Some(2)),
        ("offset > '2'", Some(3)),
        ("offset > '3'", Some(4)),
        ("offset > '@latest'", None),
        ("sequence-number > '0'", Some(1)),
        ("sequence-number >= 0", Some(0)),
        ("enqueued-time > '1767225601000'", Some(2)),
        ("enqueued-time >= '1767225601000'", Some(1)),
        ("enqueuedtimeutc > 1767225600999", Some(1)),
        ("enqueued-time > '1767225606000'", Some(4)),
    ] {
        let mut client = client(&hub).await;
        let wish = Wish {
            partition: &partition.to_string(),
            selector,
            ..WISH
        };
        let link = client.attach(wish.attach("r")).await.unwrap();
        client.amqp.grant(link, 10).unwrap();
        let next = hub.hub.events.bounds(partition).unwrap().next.0;
        let first = first.unwrap_or(next);
        if first >= next {
            send(&hub, &[b"y"]).await;
        }
        let found = sequence(&event(&mut client, link).await);
        assert_eq!(u64::try_from(found), Ok(first), "{selector}");
    }
}

#[track_caller]
fn refused(refusal: Result<LinkId, AmqpError>, condition: &str, text: &str) {
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.condition, condition);
    let description = refusal.description.unwrap_or_default();
    assert!(description.contains(text), "{description}");
}

#[tokio::test]
async fn readers_that_are_refused() {
    let hub = start().await;
    let partition = send(&hub, &[b"x"]).await.to_string();
    let mut client = client(&hub).await;
    let argument = "com.microsoft:argument-error";
    let wish = Wish {
        partition: &partition,
        ..WISH
    };
    for (wish, condition, text) in [
        (
            Wish { group: "other", ..wish },
            condition::NOT_FOUND,
            "The messaging entity 'hub/ConsumerGroups/other' could not be found",
        ),
        (
            Wish { partition: "2", ..wish },
            "com.microsoft:argument-out-of-range",
            "'2'",
        ),
        (
            Wish { partition: "x", ..wish },
            "com.microsoft:argument-out-of-range",
            "'x'",
        ),
        (
            Wish {
                selector: "colour > 'red'",
                ..wish
            },
            argument,
            "colour",
        ),
        (
            Wish {
                selector: "offset > '1'",
                ..wish
            },
            argument,
            "The supplied offset '1' is invalid. The last offset in the system is '0'",
        ),
        (
            Wish {
                selector: "sequence-number >= '7'",
                ..wish
            },
            argument,
            "The last sequence number in the system is '0'",
        ),
    ] {
        refused(client.attach(wish.attach("r")).await, condition, text);
    }
    let sender = format!("{EVENT_HUB}/ConsumerGroups/$Default/Partitions/{partition}");
    refused(client.sender(&sender).await, condition::UNAUTHORIZED_ACCESS, "Nobody");
    // The connection is none the worse for it.
    let link = client.attach(wish.attach("r")).await.unwrap();
    client.amqp.grant(link, 1).unwrap();
    assert_eq!(body(&event(&mut client, link).await), b"x");
}

#[tokio::test]
async fn levels_displace_readers_of_other_connections() {
    let hub = start().await;
    let stolen = condition::LINK_STOLEN;
    let (mut first, mut second) = (client(&hub).await, client(&hub).await);
    let plain = first.attach(WISH.attach("plain")).await.unwrap();
    let level = |level| Wish {
        group: "$default",
        level: Some(level),
        ..WISH
    };
    let one = second.attach(level(1).attach("one")).await.unwrap();
    let error = first.detached(plain).await.unwrap();
    assert_eq!(error.condition, stolen);
    let text = "New receiver 'one' with higher epoch of '1' is created hence current receiver 'plain' with no epoch";
    assert!(error.description.unwrap().starts_with(text));
    let text = "At least one receiver for the endpoint is created with epoch of '1', and so non-epoch receiver";
    refused(first.attach(WISH.attach("plain")).await, stolen, text);
    let text = "Receiver 'one' with a higher epoch '1' already exists. Receiver 'zero' with epoch 0 cannot be created.";
    refused(first.attach(level(0).attach("zero")).await, stolen, text);
    first.attach(level(1).attach("same")).await.unwrap();
    let error = second.detached(one).await.unwrap();
    let text = "New receiver 'same' with higher epoch of '1' is created hence current receiver 'one' with epoch '1'";
    assert!(error.description.unwrap().starts_with(text));
}

#[tokio::test]
async fn five_read_side_by_side_and_a_closed_link_makes_room() {
    let hub = start().await;
    let mut client = client(&hub).await;
    let mut links = Vec::new();
    for name in ["1", "2", "3", "4", "5"] {
        links.push(client.attach(WISH.attach(name)).await.unwrap());
    }
    let text = "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5";
    let sixth = client.attach(WISH.attach("6")).await;
    refused(sixth, condition::RESOURCE_LIMIT_EXCEEDED, text);
    client.amqp.detach(links[0], None).unwrap();
    client.attach(WISH.attach("6")).await.unwrap();
}

#[tokio::test]
async fn no_event_without_credit() {
    let hub = start().await;
    let partition = send(&hub, &[b"a", b"b", b"c"]).await.to_string();
    let mut client = client(&hub).await;
    let wish = Wish {
        partition: &partition,
        ..WISH
    };
    let link = client.attach(wish.attach("r")).await.unwrap();
    let pair = client.pair(management::NODE).await;
    assert_eq!(events_until_answer(&mut client, pair).await, 0);
    client.amqp.grant(link, 2).unwrap();
    let mut got = Vec::new();
    for _ in 0..2 {
        got.push(delivery(&mut client).await);
    }
    assert_eq!(events_until_answer(&mut client, pair).await, 0);
    for delivery in &got {
        client.amqp.settle(delivery.receipt, DeliveryState::Accepted).unwrap();
    }
    assert_eq!(body(&event(&mut client, link).await), b"c");
}

#[tokio::test]
async fn readers_wait_at_the_end_and_large_events_come_in_pieces() {
    let hub = start().await;
    let partition = send(&hub, &[b"before"]).await.to_string();
    let mut client = client(&hub).await;
    let wish = Wish {
        partition: &partition,
        selector: "offset > '@latest'",
        metrics: true,
        ..WISH
    };
    let link = client.attach(wish.attach("r")).await.unwrap();
    client.amqp.grant(link, 10).unwrap();
    client.flush().await;
    let large = vec![b'x'; 200 * 1024];
    hub.clock.advance(Duration::from_secs(1));
    send(&hub, &[&large, b"small"]).await;
    let delivery = event(&mut client, link).await;
    assert_eq!(body(&delivery), large);
    let message = Message::parse(&delivery.payload).unwrap();
    let metric = |name: &str| message.delivery_annotations.value(name);
    let last = metric("last_enqueued_sequence_number").and_then(|last| last.as_i64());
    assert!(last.is_some_and(|last| last >= 1), "{last:?}");
    let offset = last.unwrap().to_string();
    assert_eq!(metric("last_enqueued_offset"), Some(Value::String(&offset)));
    let now = Some(Value::Timestamp(1_767_225_601_000));
    assert_eq!(metric("last_enqueued_time_utc"), now);
    assert_eq!(metric("runtime_info_retrieval_time_utc"), now);
    assert_eq!(body(&event(&mut client, link).await), b"small");
}

#[tokio::test]
async fn a_thousand_events_come_once_each_and_in_order() {
    let hub = start().await;
    let bodies: Vec<Vec<u8>> = (0..1000).map(|number: u32| number.to_string().into()).collect();
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let partition = send(&hub, &bodies).await.to_string();
    let mut client = client(&hub).await;
    let wish = Wish {
        partition: &partition,
        ..WISH
    };
    let link = client.attach(wish.attach("r")).await.unwrap();
    client.amqp.grant(link, 300).unwrap();
    for expected in bodies {
        assert_eq!(body(&event(&mut client, link).await), expected);
    }
}

#[tokio::test]
async fn a_removed_group_ends_its_readers_and_a_removed_policy_too() {
    let hub = start().await;
    let change = async |change: &dyn Fn(&mut ironhub_model::HubSettings)| {
        let (mut settings, _) = hub.hub.settings.get().await.unwrap();
        change(&mut settings);
        hub.hub.settings.replace(settings, Precondition::None).await.unwrap();
    };
    change(&|settings| settings.consumer_groups = vec![ConsumerGroup::parse(GROUP).unwrap()]).await;
    let mut client = client(&hub).await;
    let wish = Wish {
        group: "bILLING",
        ..WISH
    };
    let billing = client.attach(wish.attach("billing")).await.unwrap();
    let default = client.attach(WISH.attach("default")).await.unwrap();
    change(&|settings| settings.consumer_groups.clear()).await;
    let error = client.detached(billing).await.unwrap();
    assert_eq!(error.condition, condition::NOT_FOUND);
    assert!(error.description.unwrap().contains("bILLING"));
    change(&|settings| settings.policies.retain(|policy| policy.name != "service")).await;
    let error = client.detached(default).await.unwrap();
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
}

/// More than the network holds for a peer that does not read.
const UNREAD_EVENTS: i64 = 64;

/// A reader with credit for all events and a small window in the network, which has read for as long as anything moved,
/// nothing of it, and then for so long again in time that the runtime makes pass.
async fn unread_for(hub: &TestHub, time: Duration) -> (Client, LinkId) {
    let body = vec![0; 200 * 1024];
    let bodies: Vec<&[u8]> = (0..UNREAD_EVENTS).map(|_| &body[..]).collect();
    let partition = send(hub, &bodies).await.to_string();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut client = Client::open_over(socket.connect(hub.address).await.unwrap()).await;
    let cbs = client.pair("$cbs").await;
    assert_eq!(
        client.put_token(cbs, &hub.policy_token("service", "")).await,
        Answer::ok()
    );
    let wish = Wish {
        partition: &partition,
        ..WISH
    };
    let link = client.attach(wish.attach("slow")).await.unwrap();
    client.amqp.grant(link, 1000).unwrap();
    client.flush().await;
    // The tests of time-outs have no other way to see that nothing moves any more.
    sleep(Duration::from_secs(2)).await;
    pause();
    sleep(time).await;
    resume();
    (client, link)
}

#[tokio::test]
async fn a_reader_may_work_for_minutes_on_what_it_has() {
    let hub = start().await;
    let (mut client, link) = unread_for(&hub, AMQP_UNREAD_MAX * 9 / 10).await;
    for expected in 0..UNREAD_EVENTS {
        assert_eq!(sequence(&event(&mut client, link).await), expected);
    }
}

#[tokio::test]
async fn a_reader_that_never_reads_on_is_given_up() {
    let hub = start().await;
    let (mut client, _) = unread_for(&hub, AMQP_UNREAD_MAX + Duration::from_secs(1)).await;
    let mut events = 0;
    while let Some(event) = client.event().await {
        events += i64::from(matches!(event, Event::Delivery(_)));
    }
    assert!(events < UNREAD_EVENTS, "{events}");
}
