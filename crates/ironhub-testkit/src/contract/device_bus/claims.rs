//! Claims: the newest wins, the loser learns of it, waiting ends.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ironhub_hub::ports::{Claim, DeviceBus, Epoch, Location, NodeRequest};

use super::{Pair, id};
use crate::contract::is_over;

pub(super) async fn the_newest_wins<B: DeviceBus>(pair: &Pair<B>) {
    let (left, right) = (&pair.left, &pair.right);
    assert_ne!(left.node(), right.node(), "nodes have names of their own");
    assert_eq!(left.locate(&id("d1")).await, Ok(None));
    assert_eq!(left.connected().await, Ok(0));
    let mut last = Epoch(0);
    for bus in [left, right, right, left] {
        let claim = bus.claim(&id("d1")).await.unwrap();
        assert_eq!(claim.id, id("d1"));
        assert!(claim.epoch > last, "a later claim has a greater epoch");
        last = claim.epoch;
        let expected = Location {
            node: bus.node(),
            epoch: claim.epoch,
        };
        for seen_from in [left, right] {
            assert_eq!(seen_from.locate(&id("d1")).await, Ok(Some(expected.clone())));
            assert_eq!(seen_from.connected().await, Ok(1), "one identity, one connection");
        }
    }
}

pub(super) async fn the_loser_is_told_once<B: DeviceBus>(pair: &Pair<B>) {
    let first = pair.left.claim(&id("d1")).await.unwrap();
    let second = pair.right.claim(&id("d1")).await.unwrap();
    let third = pair.right.claim(&id("d1")).await.unwrap();
    // A question that is asked of both afterwards shows that nothing else was under way.
    assert_eq!(pair.left_asked.next().await, evict(&first));
    assert_eq!(
        pair.right_asked.next().await,
        evict(&second),
        "its own node too is told"
    );
    let fourth = pair.left.claim(&id("d1")).await.unwrap();
    assert_eq!(pair.right_asked.next().await, evict(&third));
    pair.left.release(&fourth).await;
    pair.right.claim(&id("d1")).await.unwrap();
    for (bus, asked) in [(&pair.left, &pair.left_asked), (&pair.right, &pair.right_asked)] {
        let question = NodeRequest::C2dReady { id: id("d1") };
        bus.call(&bus.node(), question.clone(), Duration::from_mins(1))
            .await
            .unwrap();
        assert_eq!(asked.next().await, question, "nobody lost but those who were told");
    }
}

pub(super) async fn an_old_release_does_nothing<B: DeviceBus>(pair: &Pair<B>) {
    let old = pair.left.claim(&id("d1")).await.unwrap();
    let new = pair.right.claim(&id("d1")).await.unwrap();
    pair.left.release(&old).await;
    let located = pair.left.locate(&id("d1")).await.unwrap();
    assert_eq!(located.map(|location| location.epoch), Some(new.epoch));
    pair.right.release(&new).await;
    assert_eq!(pair.left.locate(&id("d1")).await, Ok(None));
    assert_eq!(pair.left.connected().await, Ok(0));
    pair.right.release(&new).await;
    assert_eq!(pair.left.connected().await, Ok(0), "a second release counts nothing");
    let anew = pair.left.claim(&id("d1")).await.unwrap();
    assert!(anew.epoch > new.epoch, "epochs rise over releases too");
}

pub(super) async fn identities_are_apart<B: DeviceBus>(pair: &Pair<B>) {
    let device = pair.left.claim(&id("d1")).await.unwrap();
    let module = pair.right.claim(&id("d1/m1")).await.unwrap();
    pair.left.claim(&id("D1")).await.unwrap();
    assert_eq!(pair.left.connected().await, Ok(3));
    pair.left.release(&device).await;
    let located = pair.left.locate(&id("d1/m1")).await.unwrap();
    assert_eq!(located.map(|location| location.epoch), Some(module.epoch));
    assert_eq!(pair.right.connected().await, Ok(2));
}

pub(super) async fn racing_claims_have_one_winner<B: DeviceBus>(pair: Pair<B>) {
    const CLAIMS: usize = 64;
    let pair = Arc::new(pair);
    let tasks: Vec<_> = (0..CLAIMS)
        .map(|n| {
            let pair = Arc::clone(&pair);
            tokio::spawn(async move {
                let bus = if n % 2 == 0 { &pair.left } else { &pair.right };
                bus.claim(&id("d1")).await.unwrap().epoch
            })
        })
        .collect();
    let mut epochs = BTreeSet::new();
    for task in tasks {
        epochs.insert(task.await.unwrap());
    }
    assert_eq!(epochs.len(), CLAIMS, "no epoch is given twice");
    let winner = pair.left.locate(&id("d1")).await.unwrap().unwrap();
    assert_eq!(epochs.pop_last(), Some(winner.epoch));
    for _ in 1..CLAIMS {
        let told = tokio::select! {
            request = pair.left_asked.next() => request,
            request = pair.right_asked.next() => request,
        };
        let NodeRequest::Evict { epoch, .. } = told else {
            panic!("nothing but evictions: {told:?}");
        };
        assert!(epochs.remove(&epoch), "each loser is told once");
    }
}

pub(super) async fn claimed_wakes<B: DeviceBus>(pair: &Pair<B>) {
    let (one, other) = (id("d1"), id("d2"));
    let mut first = pin!(pair.left.claimed(&one));
    let mut second = pin!(pair.right.claimed(&one));
    let mut elsewhere = pin!(pair.left.claimed(&other));
    assert!(!is_over(first.as_mut()).await, "nobody has claimed it");
    assert!(!is_over(second.as_mut()).await);
    assert!(!is_over(elsewhere.as_mut()).await);
    let claim = pair.right.claim(&one).await.unwrap();
    first.await;
    second.await;
    pair.right.claimed(&one).await;
    assert!(!is_over(elsewhere.as_mut()).await, "each waits for its own");
    pair.right.release(&claim).await;
    let mut again = pin!(pair.left.claimed(&one));
    assert!(!is_over(again.as_mut()).await, "a claim that has ended does not count");
    pair.left.claim(&one).await.unwrap();
    again.await;
}

fn evict(claim: &Claim) -> NodeRequest {
    NodeRequest::Evict {
        id: claim.id.clone(),
        epoch: claim.epoch,
    }
}
