//! The body of a response. When it is dropped, the connection is free for the next request.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;

use crate::transport::connection::state::Responding;

pin_project! {
    /// A body that tells the state of its connection when it is dropped.
    pub(super) struct ResponseBody<B> {
        #[pin]
        body: B,
        responding: Option<Responding>,
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn new(body: B, responding: Option<Responding>) -> Self {
        Self { body, responding }
    }
}

impl<B: MessageBody> MessageBody for ResponseBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(cx)
    }
}
