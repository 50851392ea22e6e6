use std::time::Duration;

use ironhub_hub::connections::CloseReason;
use ironhub_hub::{HubError, LinkEvent};
use ironhub_model::limits::METHODS_IN_FLIGHT_PER_DEVICE_MAX;
use ironhub_model::registry::{DeviceSpec, Precondition};
use ironhub_model::{DeviceStatus, MethodCall, MethodName, MethodResponse};
use tokio::task::JoinHandle;

use crate::world::{TestHub, TestLink, World, device, id, listening, next, nothing};

fn call(connect_timeout_s: u64) -> MethodCall {
    MethodCall {
        name: MethodName::parse("reboot").unwrap(),
        payload: Some("{\"a\":1}".into()),
        response_timeout: Duration::from_secs(30),
        connect_timeout: Duration::from_secs(connect_timeout_s),
    }
}

fn invoke(hub: &TestHub, call: MethodCall) -> JoinHandle<Result<MethodResponse, HubError>> {
    let hub = hub.clone();
    tokio::spawn(async move { hub.methods.invoke(&id("d"), call).await })
}

async fn listen(link: &mut TestLink, methods: bool) {
    let (filters, features) = listening(methods, false, false);
    link.set_filters(filters, features).await.unwrap();
}

async fn request(link: &mut TestLink) -> u64 {
    let LinkEvent::Method { request_id, .. } = next(link).await else {
        panic!("no call")
    };
    request_id
}

fn answer(status: i32) -> MethodResponse {
    MethodResponse { status, payload: None }
}

fn not_online(connect_timeout_s: u64) -> HubError {
    HubError::NotOnline {
        connect_timeout: Duration::from_secs(connect_timeout_s),
    }
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_calls_in_any_order_and_from_any_hub() {
    let (world, hub) = World::hub_with_device().await;
    let other_hub = world.hub().await;
    let mut link = world.link(&hub).await;
    listen(&mut link, true).await;
    let first = invoke(&hub, call(0));
    assert_eq!(request(&mut link).await, 1);
    let second = invoke(&other_hub, call(0));
    assert_eq!(request(&mut link).await, 2);
    assert!(link.method_response(2, answer(202)));
    assert!(link.method_response(1, answer(500)));
    assert_eq!(first.await.unwrap(), Ok(answer(500)));
    assert_eq!(second.await.unwrap(), Ok(answer(202)));
    assert!(!link.method_response(2, answer(1)) && !link.method_response(7, answer(1)));
    let third = invoke(&hub, call(0));
    let request_id = request(&mut link).await;
    link.method_response_invalid(request_id);
    assert_eq!(third.await.unwrap(), Err(HubError::InvalidMethodResponse));
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_answer_has_a_reason() {
    let (world, hub) = World::hub_with_device().await;
    let unknown = |name: &'static str| {
        let hub = hub.clone();
        async move { hub.methods.invoke(&id(name), call(0)).await.unwrap_err() }
    };
    assert_eq!(unknown("nobody").await, HubError::DeviceNotFound(device("nobody")));
    assert_eq!(unknown("d/m").await, HubError::ModuleNotFound(id("d/m")));
    assert_eq!(invoke(&hub, call(0)).await.unwrap(), Err(not_online(0)));
    let mut link = world.link(&hub).await;
    assert_eq!(invoke(&hub, call(0)).await.unwrap(), Err(not_online(0)));
    listen(&mut link, true).await;
    let cut = invoke(&hub, call(0));
    request(&mut link).await;
    link.close(CloseReason::Ended).await;
    assert_eq!(cut.await.unwrap(), Err(HubError::Disconnected));
    let mut spec = DeviceSpec::new(device("d"));
    spec.status = Some(DeviceStatus::Disabled);
    hub.registry.put_device(spec, Precondition::Any).await.unwrap();
    let before = tokio::time::Instant::now();
    assert_eq!(invoke(&hub, call(300)).await.unwrap(), Err(not_online(300)));
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_dropped_and_the_next_call_works() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    listen(&mut link, true).await;
    let late = invoke(&hub, call(0));
    let request_id = request(&mut link).await;
    let timeout = Duration::from_secs(30);
    assert_eq!(late.await.unwrap(), Err(HubError::MethodTimedOut { timeout }));
    assert!(!link.method_response(request_id, answer(200)));
    let abandoned = invoke(&hub, call(0));
    tokio::task::yield_now().await;
    abandoned.abort();
    let good = invoke(&hub, call(0));
    loop {
        let request_id = request(&mut link).await;
        if link.method_response(request_id, answer(200)) && good.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
        if good.is_finished() {
            break;
        }
    }
    assert_eq!(good.await.unwrap(), Ok(answer(200)));
    nothing(&mut link).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_its_device_to_connect_and_subscribe() {
    let (world, hub) = World::hub_with_device().await;
    let waiting = invoke(&hub, call(60));
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut link = world.link(&hub).await;
    nothing(&mut link).await;
    listen(&mut link, true).await;
    let request_id = request(&mut link).await;
    assert!(link.method_response(request_id, answer(200)));
    assert_eq!(waiting.await.unwrap(), Ok(answer(200)));
    listen(&mut link, false).await;
    let before = tokio::time::Instant::now();
    assert_eq!(invoke(&hub, call(7)).await.unwrap(), Err(not_online(7)));
    assert_eq!(before.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_are_bounded() {
    let (world, hub) = World::hub_with_device().await;
    let mut link = world.link(&hub).await;
    listen(&mut link, true).await;
    let calls: Vec<_> = (0..METHODS_IN_FLIGHT_PER_DEVICE_MAX)
        .map(|_| invoke(&hub, call(0)))
        .collect();
    for _ in &calls {
        request(&mut link).await;
    }
    assert_eq!(invoke(&hub, call(0)).await.unwrap(), Err(HubError::TooManyInFlight));
    drop(link);
    for call in calls {
        assert_eq!(call.await.unwrap(), Err(HubError::Disconnected));
    }
}
