//! Direct methods as a device answers them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::warn;

use crate::limits::METHODS_RUNNING_MAX;

/// The status of an answer to a method that nobody handles; as Microsoft's .NET SDK answers.
const STATUS_NOT_IMPLEMENTED: i32 = 501;
/// The status of an answer whose handler panicked.
const STATUS_HANDLER_FAILED: i32 = 500;

/// A call of a direct method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodRequest {
    /// The method.
    pub name: String,
    /// JSON as the back end wrote it; empty when it gave none.
    pub payload: Bytes,
}

/// A device's answer to a direct method: a status of its own choice and a JSON value, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodResponse {
    status: i32,
    payload: Bytes,
}

impl MethodRequest {
    /// The payload as a value; `null` when there is none.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        if self.payload.is_empty() {
            return serde_json::from_slice(b"null");
        }
        serde_json::from_slice(&self.payload)
    }
}

impl MethodResponse {
    /// An answer with nothing but a status.
    pub fn status(status: i32) -> Self {
        Self {
            status,
            payload: Bytes::new(),
        }
    }

    /// An answer with a value; one that is no JSON, such as a map with keys that are not text, becomes `null`.
    pub fn json(status: i32, value: &impl Serialize) -> Self {
        let payload = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        Self {
            status,
            payload: payload.into(),
        }
    }

    pub(super) fn into_parts(self) -> (i32, Bytes) {
        (self.status, self.payload)
    }
}

/// `200` with this value.
impl From<Value> for MethodResponse {
    fn from(value: Value) -> Self {
        Self::json(200, &value)
    }
}

type Answer = Pin<Box<dyn Future<Output = MethodResponse> + Send>>;
type Handler = Arc<dyn Fn(MethodRequest) -> Answer + Send + Sync>;

/// Who answers which method.
#[derive(Clone, Default)]
pub(super) struct Handlers(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    by_name: HashMap<String, Handler>,
    /// Answers what has no handler of its own.
    other: Option<Handler>,
}

/// The answer to one call, to go out on the connection that the call came on.
pub(super) struct Answered {
    pub(super) epoch: u64,
    pub(super) request_id: String,
    pub(super) response: MethodResponse,
}

/// Calls whose handlers run.
#[derive(Default)]
pub(super) struct RunningMethods(JoinSet<Answered>);

impl Handlers {
    pub(super) fn set<F, A>(&self, name: &str, handler: F)
    where
        F: Fn(MethodRequest) -> A + Send + Sync + 'static,
        A: Future<Output = MethodResponse> + Send + 'static,
    {
        self.lock().by_name.insert(name.to_owned(), boxed(handler));
    }

    pub(super) fn set_other<F, A>(&self, handler: F)
    where
        F: Fn(MethodRequest) -> A + Send + Sync + 'static,
        A: Future<Output = MethodResponse> + Send + 'static,
    {
        self.lock().other = Some(boxed(handler));
    }

    fn find(&self, name: &str) -> Option<Handler> {
        let table = self.lock();
        table.by_name.get(name).or(table.other.as_ref()).cloned()
    }

    /// Lets go of what the handlers hold, perhaps the client itself.
    pub(super) fn clear(&self) {
        let handlers = std::mem::take(&mut *self.lock());
        drop(handlers);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().by_name.keys()).finish()
    }
}

impl RunningMethods {
    /// Runs the handler, or answers that there is none.
    pub(super) fn call(&mut self, handlers: &Handlers, epoch: u64, request_id: String, request: MethodRequest) {
        if self.0.len() >= METHODS_RUNNING_MAX {
            warn!(method = request.name, "too many methods run, the call is not answered");
            return;
        }
        let handler = handlers.find(&request.name);
        self.0.spawn(async move {
            let response = match handler {
                Some(handler) => run(&handler, request).await,
                None => MethodResponse::status(STATUS_NOT_IMPLEMENTED),
            };
            Answered {
                epoch,
                request_id,
                response,
            }
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next answer; none when nothing runs. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Answered> {
        self.0.join_next().await?.ok()
    }
}

fn boxed<F, A>(handler: F) -> Handler
where
    F: Fn(MethodRequest) -> A + Send + Sync + 'static,
    A: Future<Output = MethodResponse> + Send + 'static,
{
    Arc::new(move |request| Box::pin(handler(request)))
}

/// In a task of its own, so that a handler that panics ends nothing but its call.
async fn run(handler: &Handler, request: MethodRequest) -> MethodResponse {
    let method = request.name.clone();
    match tokio::spawn(handler(request)).await {
        Ok(response) => response,
        Err(error) => {
            warn!(method, %error, "the handler of a method failed");
            MethodResponse::status(STATUS_HANDLER_FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn call(handlers: &Handlers, name: &str, payload: &'static str) -> MethodResponse {
        let mut running = RunningMethods::default();
        let request = MethodRequest {
            name: name.to_owned(),
            payload: payload.into(),
        };
        running.call(handlers, 7, "1a".to_owned(), request);
        let answered = running.next().await.unwrap();
        assert_eq!((answered.epoch, answered.request_id.as_str()), (7, "1a"));
        assert!(running.is_empty());
        answered.response
    }

    #[tokio::test]
    async fn each_call_gets_an_answer() {
        let handlers = Handlers::default();
        handlers.set("echo", |request| async move {
            MethodResponse::from(request.json::<Value>().unwrap())
        });
        handlers.set("fail", |_| async { panic!("as it should") });
        let answer = call(&handlers, "echo", r#"{"a":1}"#).await;
        assert_eq!(answer, MethodResponse::json(200, &json!({ "a": 1 })));
        assert_eq!(
            call(&handlers, "echo", "").await,
            MethodResponse::json(200, &Value::Null)
        );
        assert_eq!(call(&handlers, "other", "").await, MethodResponse::status(501));
        assert_eq!(call(&handlers, "fail", "").await, MethodResponse::status(500));
        handlers.set_other(|request| async move { MethodResponse::from(Value::from(request.name)) });
        assert_eq!(
            call(&handlers, "other", "").await,
            MethodResponse::json(200, &json!("other"))
        );
        assert_eq!(call(&handlers, "echo", "2").await, MethodResponse::json(200, &json!(2)));
    }
}
