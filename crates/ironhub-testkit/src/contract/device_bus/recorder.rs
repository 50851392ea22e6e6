//! A node that writes down what it is asked.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ironhub_hub::ports::{NodeHandler, NodeReply, NodeRequest};
use tokio::sync::{Mutex, mpsc};

/// More requests than any case of the contract makes.
const REQUESTS_MAX: usize = 1024;

/// Answers [`NodeReply::Done`], but never answers a method call.
pub(super) struct Recorder {
    sender: mpsc::Sender<NodeRequest>,
    asked: Mutex<mpsc::Receiver<NodeRequest>>,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        let (sender, asked) = mpsc::channel(REQUESTS_MAX);
        Arc::new(Self {
            sender,
            asked: Mutex::new(asked),
        })
    }

    /// The next request, which may still be on its way.
    pub(super) async fn next(&self) -> NodeRequest {
        self.asked.lock().await.recv().await.unwrap()
    }
}

impl NodeHandler for Recorder {
    fn handle(&self, request: NodeRequest) -> Pin<Box<dyn Future<Output = NodeReply> + Send + '_>> {
        Box::pin(async move {
            let is_method = matches!(request, NodeRequest::Method { .. });
            self.sender.send(request).await.unwrap();
            if is_method {
                std::future::pending::<()>().await;
            }
            NodeReply::Done
        })
    }
}
