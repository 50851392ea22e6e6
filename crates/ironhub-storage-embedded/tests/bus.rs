//! The in-process bus fulfils the contract, and what is special about it.

use ironhub_hub::ports::{BusError, DeviceBus, NodeId, NodeRequest};
use ironhub_model::IdentityId;
use ironhub_storage_embedded::{LocalBus, Switchboard};
use ironhub_testkit::contract;

fn two_nodes() -> (LocalBus, LocalBus) {
    let switchboard = Switchboard::new();
    let join = |name: &str| LocalBus::join(&switchboard, NodeId(name.into()));
    (join("left"), join("right"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contract_on_many_threads() {
    contract::device_bus(async || two_nodes()).await;
}

#[tokio::test]
async fn contract_on_one_thread() {
    contract::device_bus(async || two_nodes()).await;
}

#[tokio::test]
async fn a_node_that_does_not_serve_yet_is_none() {
    let bus = LocalBus::new();
    let id = IdentityId::parse("d1").unwrap();
    let answer = bus
        .call(&bus.node(), NodeRequest::C2dReady { id }, std::time::Duration::MAX)
        .await;
    assert_eq!(answer, Err(BusError::NoNode));
}

#[tokio::test]
async fn a_name_passes_to_the_newcomer() {
    let switchboard = Switchboard::new();
    let id = IdentityId::parse("d1").unwrap();
    let old = LocalBus::join(&switchboard, NodeId("node".into()));
    let new = LocalBus::join(&switchboard, NodeId("node".into()));
    new.claim(&id).await.unwrap();
    drop(old);
    assert!(
        new.locate(&id).await.unwrap().is_some(),
        "the old node's end is not the new one's"
    );
}
