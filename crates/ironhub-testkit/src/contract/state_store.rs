//! The contract of [`StateStore`].

mod commits;
mod documents;
mod mail;
mod outbox;

use ironhub_hub::ports::{Commit, Expect, Key, Rev, StateStore, Table};

/// Runs the whole contract. `make` gives an empty store each time. Needs a runtime with several threads to be a
/// strong test; passes on any.
pub async fn state_store<S: StateStore>(make: impl AsyncFn() -> S) {
    documents::reads_what_was_written(&make().await).await;
    documents::expectations(&make().await).await;
    documents::revisions_rise(&make().await).await;
    documents::deletes(&make().await).await;
    documents::pages(&make().await).await;
    documents::many_at_once(&make().await).await;
    documents::tables_are_apart(&make().await).await;
    documents::bytes_are_kept(&make().await).await;
    documents::lost_swaps(make().await).await;
    commits::all_or_nothing(&make().await).await;
    commits::later_operations_see_earlier_ones(&make().await).await;
    commits::counters_add_up(make().await).await;
    commits::acknowledged_is_seen_by_all(make().await).await;
    mail::keeps_order_and_bound(&make().await).await;
    mail::bound_holds_among_many(make().await).await;
    mail::counts_of_many(&make().await).await;
    mail::update_and_remove_need_the_message(&make().await).await;
    mail::one_remover_wins(make().await).await;
    mail::due_in_order(&make().await).await;
    mail::clear_and_ids(&make().await).await;
    outbox::order_and_trimming(&make().await).await;
    outbox::ids_are_never_used_again(&make().await).await;
    outbox::order_follows_commits(make().await).await;
}

/// Stores a document whatever was there, and returns its revision.
async fn put(store: &impl StateStore, table: Table, key: &str, content: &str) -> Rev {
    let commit = Commit::new().put(table, Key::new(key), Expect::Any, content.to_owned());
    let revs = store.commit(commit).await.unwrap();
    revs.first().copied().flatten().unwrap()
}

/// A document's content as text, and its revision.
async fn load(store: &impl StateStore, table: Table, key: &str) -> Option<(String, Rev)> {
    let found = store.get(table, &Key::new(key)).await.unwrap();
    found.map(|(content, rev)| (String::from_utf8(content.to_vec()).unwrap(), rev))
}
