//! The body of an answer, at whose end the connection is free for the next request.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use pin_project_lite::pin_project;

use crate::transport::activity::Answering;

pin_project! {
    /// A body that tells its connection when it has ended.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        answering: Option<Answering>,
    }
}

impl<B> Answer<B> {
    pub(super) fn new(body: B, answering: Option<Answering>) -> Self {
        Self { body, answering }
    }
}

impl<B: MessageBody> MessageBody for Answer<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.project().body.poll_next(cx)
    }
}
