//! The contract of [`DeviceBus`], seen from two nodes of one hub.

mod calls;
mod claims;
mod recorder;

use ironhub_hub::ports::DeviceBus;
use ironhub_model::IdentityId;

use self::recorder::Recorder;

/// Runs the whole contract. `make` gives two fresh nodes of a fresh hub each time; nobody serves them yet.
pub async fn device_bus<B: DeviceBus>(make: impl AsyncFn() -> (B, B)) {
    claims::the_newest_wins(&Pair::of(make().await)).await;
    claims::the_loser_is_told_once(&Pair::of(make().await)).await;
    claims::an_old_release_does_nothing(&Pair::of(make().await)).await;
    claims::identities_are_apart(&Pair::of(make().await)).await;
    claims::racing_claims_have_one_winner(Pair::of(make().await)).await;
    claims::claimed_wakes(&Pair::of(make().await)).await;
    calls::reach_their_node(&Pair::of(make().await)).await;
    calls::end_in_time(&Pair::of(make().await)).await;
    calls::need_a_node(&Pair::of(make().await)).await;
    calls::end_with_their_node(Pair::of(make().await)).await;
}

/// Two nodes, and what was asked of them.
struct Pair<B> {
    left: B,
    right: B,
    left_asked: std::sync::Arc<Recorder>,
    right_asked: std::sync::Arc<Recorder>,
}

impl<B: DeviceBus> Pair<B> {
    fn of((left, right): (B, B)) -> Self {
        let pair = Self {
            left,
            right,
            left_asked: Recorder::new(),
            right_asked: Recorder::new(),
        };
        pair.left.serve(pair.left_asked.clone());
        pair.right.serve(pair.right_asked.clone());
        pair
    }
}

fn id(text: &str) -> IdentityId {
    IdentityId::parse(text).unwrap()
}
