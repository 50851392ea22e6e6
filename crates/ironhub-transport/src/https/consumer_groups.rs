//! Consumer groups of the built-in endpoint, one by one.

use hyper::StatusCode;
use ironhub_dialect::https::consumer_groups::{consumer_group_json, consumer_groups_json};
use ironhub_hub::{Added, HubError, Ports};
use ironhub_model::Permission;

use super::answer::{self, Answer};
use super::call::Call;

const READ: &[Permission] = &[Permission::ServiceConnect, Permission::RegistryRead];
const WRITE: &[Permission] = &[Permission::RegistryWrite];

pub(super) async fn list<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(READ).await?;
    let groups = call.hub().settings.consumer_groups();
    Ok(answer::json(consumer_groups_json(&groups)))
}

pub(super) async fn get<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    call.authorize(READ).await?;
    shown(call, name, StatusCode::OK)
}

/// Creates it, or finds it there in any letter case.
pub(super) async fn put<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    call.authorize(WRITE).await?;
    let status = match call.in_time(call.hub().settings.add_consumer_group(name)).await? {
        Added::Created => StatusCode::CREATED,
        Added::Existed => StatusCode::OK,
    };
    shown(call, name, status)
}

pub(super) async fn remove<P: Ports>(call: &Call<P>, name: &str) -> Answer {
    call.authorize(WRITE).await?;
    call.in_time(call.hub().settings.remove_consumer_group(name)).await?;
    Ok(answer::no_content())
}

fn shown<P: Ports>(call: &Call<P>, name: &str, status: StatusCode) -> Answer {
    let groups = call.hub().settings.consumer_groups();
    let group = groups.iter().find(|(group, _)| group.is_named(name));
    let group = group.ok_or_else(|| HubError::ConsumerGroupNotFound(name.into()))?;
    Ok(answer::json_with(status, consumer_group_json(group)))
}
