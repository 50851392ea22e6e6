//! Queries over twins, page by page.

use hyper::header::HeaderName;
use ironhub_dialect::https::query::{self as dialect, CONTINUATION_HEADER, ITEM_TYPE_HEADER, PAGE_ROWS_HEADER};
use ironhub_dialect::https::twin::rows_json;
use ironhub_hub::Ports;
use ironhub_model::Permission;
use ironhub_model::limits::REQUEST_BODY_BYTES_MAX;

use super::answer::{self, Answer};
use super::call::Call;

pub(super) async fn run<P: Ports>(call: &Call<P>) -> Answer {
    call.authorize(&[Permission::ServiceConnect]).await?;
    let text = dialect::query_text(&call.body(REQUEST_BODY_BYTES_MAX).await?)?;
    let page_rows = dialect::page_rows(call.header(PAGE_ROWS_HEADER));
    let continuation = call.header(CONTINUATION_HEADER).filter(|token| !token.is_empty());
    let page = call
        .in_time(call.hub().query.run(&text, page_rows, continuation))
        .await?;
    let mut response = answer::json(rows_json(&page.rows));
    let item_type = HeaderName::from_static(ITEM_TYPE_HEADER);
    answer::set(&mut response, item_type, page.item_type);
    if let Some(token) = page.continuation {
        answer::set(&mut response, HeaderName::from_static(CONTINUATION_HEADER), &token);
    }
    Ok(response)
}
