//! Calls: to the right node, within their time, or refused.

use std::time::Duration;

use ironhub_hub::ports::{BusError, DeviceBus, NodeId, NodeReply, NodeRequest};
use ironhub_model::{MethodCall, MethodName};

use super::{Pair, id};

/// Longer than any correct answer takes.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn reach_their_node<B: DeviceBus>(pair: &Pair<B>) {
    for n in 0..10 {
        let question = desired(n);
        for (bus, node, asked) in [
            (&pair.left, pair.right.node(), &pair.right_asked),
            (&pair.right, pair.left.node(), &pair.left_asked),
            (&pair.left, pair.left.node(), &pair.left_asked),
        ] {
            let answer = bus.call(&node, question.clone(), PATIENCE).await;
            assert_eq!(answer, Ok(NodeReply::Done));
            assert_eq!(asked.next().await, question);
        }
    }
}

pub(super) async fn end_in_time<B: DeviceBus>(pair: &Pair<B>) {
    let call = MethodCall {
        name: MethodName::parse("reboot").unwrap(),
        payload: None,
        response_timeout: PATIENCE,
        connect_timeout: Duration::ZERO,
    };
    let question = NodeRequest::Method { id: id("d1"), call };
    for node in [pair.left.node(), pair.right.node()] {
        let answer = pair.left.call(&node, question.clone(), Duration::from_millis(20)).await;
        assert_eq!(answer, Err(BusError::TimedOut));
    }
    assert_eq!(pair.right_asked.next().await, question, "it was asked nevertheless");
    let answer = pair.left.call(&pair.right.node(), desired(1), PATIENCE).await;
    assert_eq!(
        answer,
        Ok(NodeReply::Done),
        "one who does not answer does not hold up the next"
    );
}

pub(super) async fn need_a_node<B: DeviceBus>(pair: &Pair<B>) {
    let nobody = NodeId("nobody".into());
    let answer = pair.left.call(&nobody, desired(1), PATIENCE).await;
    assert_eq!(answer, Err(BusError::NoNode));
}

/// A node that ends takes its claims with it, and nobody else's.
pub(super) async fn end_with_their_node<B: DeviceBus>(pair: Pair<B>) {
    let Pair { left, right, .. } = pair;
    let gone = right.node();
    left.claim(&id("stays")).await.unwrap();
    right.claim(&id("ends")).await.unwrap();
    drop(right);
    assert_eq!(left.call(&gone, desired(1), PATIENCE).await, Err(BusError::NoNode));
    assert_eq!(left.locate(&id("ends")).await, Ok(None));
    assert!(left.locate(&id("stays")).await.unwrap().is_some());
    assert_eq!(left.connected().await, Ok(1));
}

fn desired(version: u64) -> NodeRequest {
    NodeRequest::Desired {
        id: id("d1"),
        version,
        patch: "{}".into(),
    }
}
