//! Responses over HTTP that wait for slow clients. Their bytes count against the limit of unread data, and they are passed on
//! in pieces as the socket accepts them; long ones are also encoded in pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::Version;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

use crate::hub::Held;
use crate::transport::connection::state::ConnectionState;
use crate::transport::sse::chunk_header_bytes;
use crate::transport::traffic::Account;
use crate::transport::turnstile::Turnstile;
use crate::transport::{Problem, Worker};

/// The size of a piece. Bytes.
const PIECE_BYTES: usize = 16_384;
/// Nearly every element is shorter than this. A piece ends where another element might not fit; otherwise its buffer would
/// double.
const ELEMENT_BYTES: usize = 1_024;
/// A response of at most so many bytes is encoded at once, and so has a `Content-Length`.
const WHOLE_BYTES_MAX: usize = 131_072;

/// The length of the last chunk in the chunked coding.
const LAST_CHUNK_BYTES: usize = b"0\r\n\r\n".len();

/// The path of the assets, which are part of the program.
const ASSETS: &str = "/static/";

/// Encodes a response, one piece after another.
pub(super) trait Pieces: Unpin + 'static {
    /// Returns the next piece, `None` after the last one.
    fn next_piece(&mut self) -> Option<Bytes>;

    /// Returns how many bytes of memory the rest of the response holds.
    fn held_bytes(&self) -> usize;
}

/// A response body that is encoded while it is sent.
struct Body<P> {
    pieces: P,
    size: BodySize,
    held: Held,
    turns: Rc<Turnstile>,
    /// Waits for the turn of the next piece.
    turn: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// The account that is charged for the chunked coding around the pieces.
    account: Option<Arc<Account>>,
}

impl<P: Pieces> Body<P> {
    fn new(request: &HttpRequest, pieces: P, size: BodySize, account: Option<Arc<Account>>) -> Self {
        let mut held = Held::new(Worker::of(request).metrics().waiting_bytes.clone());
        held.set(pieces.held_bytes());
        if held.bytes() > 0
            && let Some(state) = ConnectionState::of(request)
        {
            state.keep();
        }
        Self { pieces, size, held, turns: Worker::of(request).answer_turns.clone(), turn: None, account }
    }
}

impl<P: Pieces> MessageBody for Body<P> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let body = self.get_mut();
        // However fast the sockets accept bytes: all responses of the worker together send a few pieces per turn.
        let turn = body.turn.get_or_insert_with(|| Box::pin(body.turns.clone().pass()));
        ready!(turn.as_mut().poll(context));
        body.turn = None;
        let piece = body.pieces.next_piece();
        body.held.set(body.pieces.held_bytes());
        if let Some(account) = &body.account {
            account.sent(0, 0, piece.as_ref().map_or(LAST_CHUNK_BYTES, |piece| chunk_header_bytes(piece.len())));
        }
        Poll::Ready(piece.map(Ok))
    }
}

/// An encoded response, passed on in pieces.
struct Whole {
    rest: Bytes,
    /// Whether the memory belongs to this response alone, and is not a part of the program.
    is_own: bool,
}

impl Pieces for Whole {
    fn next_piece(&mut self) -> Option<Bytes> {
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some(piece)
    }

    fn held_bytes(&self) -> usize {
        if self.is_own { self.rest.len() } else { 0 }
    }
}

/// Encoded pieces, followed by others that are not encoded yet.
pub(super) struct Begun<P> {
    made: VecDeque<Bytes>,
    rest: P,
}

impl<P: Pieces> Pieces for Begun<P> {
    fn next_piece(&mut self) -> Option<Bytes> {
        self.made.pop_front().or_else(|| self.rest.next_piece())
    }

    fn held_bytes(&self) -> usize {
        self.made.iter().map(Bytes::len).sum::<usize>() + self.rest.held_bytes()
    }
}

/// A response that can be sent.
pub(super) enum Answer<P> {
    /// A short one, encoded.
    Whole(Vec<u8>),
    /// A short one, encoded and compressed with gzip.
    Gzip(Vec<u8>),
    /// A long one, of which the first pieces are encoded.
    Long(Begun<P>),
}

/// Encodes a short response, or the first pieces of a long one. May be called on any thread.
pub(super) fn begin<P: Pieces>(mut pieces: P) -> Answer<P> {
    let (mut made, mut bytes) = (VecDeque::new(), 0);
    while bytes <= WHOLE_BYTES_MAX {
        let Some(piece) = pieces.next_piece() else {
            return Answer::Whole(Vec::from(made).concat());
        };
        bytes += piece.len();
        made.push_back(piece);
    }
    Answer::Long(Begun { made, rest: pieces })
}

/// A JSON document that ends with an array: its text up to `[`, the elements, `]}`.
pub(super) struct Array<T, F> {
    head: Vec<u8>,
    items: std::vec::IntoIter<T>,
    encode: F,
    tail: Vec<u8>,
    /// Whether commas are put between the elements.
    separates: bool,
    /// Bytes of memory that the elements hold until the last one is encoded.
    item_bytes: usize,
    begun: bool,
    ended: bool,
}

impl<T, F: FnMut(&T, &mut Vec<u8>)> Array<T, F> {
    /// Returns the document with these elements, each of which `encode` appends to the buffer.
    pub(super) fn new(head: String, items: Vec<T>, encode: F) -> Self {
        let item_bytes = items.capacity() * size_of::<T>();
        Self {
            head: head.into_bytes(),
            items: items.into_iter(),
            encode,
            tail: b"]}".into(),
            separates: true,
            item_bytes,
            begun: false,
            ended: false,
        }
    }

    /// Returns the document with this text at its end, and with elements that bring their own commas.
    pub(super) fn ending(self, tail: String) -> Self {
        Self { tail: tail.into_bytes(), separates: false, ..self }
    }

    /// Adds bytes of memory that the elements hold elsewhere.
    pub(super) fn keeping(self, bytes: usize) -> Self {
        Self { item_bytes: self.item_bytes + bytes, ..self }
    }
}

impl<T: Unpin + 'static, F: FnMut(&T, &mut Vec<u8>) + Unpin + 'static> Pieces for Array<T, F> {
    fn next_piece(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let mut piece = std::mem::take(&mut self.head);
        piece.reserve_exact(PIECE_BYTES.saturating_sub(piece.len()));
        while piece.len() < PIECE_BYTES - ELEMENT_BYTES {
            let Some(item) = self.items.next() else {
                piece.append(&mut self.tail);
                self.ended = true;
                self.items = Vec::new().into_iter();
                self.item_bytes = 0;
                break;
            };
            if std::mem::replace(&mut self.begun, true) && self.separates {
                piece.push(b',');
            }
            (self.encode)(&item, &mut piece);
        }
        Some(piece.into())
    }

    fn held_bytes(&self) -> usize {
        self.item_bytes
    }
}

/// Returns a JSON response that must not be cached. The account is charged for the chunked coding of a long one.
///
/// # Errors
///
/// Returns 503 if the response is long and unread data of other clients exceeds its limit.
pub(super) fn json(
    request: &HttpRequest,
    answer: Answer<impl Pieces>,
    account: Option<Arc<Account>>,
) -> Result<HttpResponse, Problem> {
    let is_short = matches!(&answer, Answer::Whole(body) | Answer::Gzip(body) if body.len() <= PIECE_BYTES);
    if !is_short {
        check_room(Worker::of(request))?;
    }
    Ok(response(request, answer, account))
}

/// Returns a JSON response that must not be cached, whatever unread data there are: for an operator, who looks for their cause.
pub(super) fn response(
    request: &HttpRequest,
    answer: Answer<impl Pieces>,
    account: Option<Arc<Account>>,
) -> HttpResponse {
    let pieces = match answer {
        Answer::Whole(body) => return head().body(body),
        Answer::Gzip(body) => {
            let mut response = head().body(body);
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return response;
        }
        Answer::Long(pieces) => pieces,
    };
    // HTTP/1.0 has no transfer coding (RFC 9112 section 6.1): the response ends with the connection.
    let is_chunked = request.version() >= Version::HTTP_11;
    let mut response = head();
    if !is_chunked {
        response.force_close();
    }
    let body = Body::new(request, pieces, BodySize::Stream, account.filter(|_| is_chunked));
    let mut response = response.body(body);
    response.head_mut().no_chunking(!is_chunked);
    response
}

/// Returns an encoded JSON response that must not be cached.
///
/// # Errors
///
/// Returns 503 if the response is long and unread data of other clients exceeds its limit.
pub(super) fn whole_json(request: &HttpRequest, body: Vec<u8>) -> Result<HttpResponse, Problem> {
    json(request, Answer::<Whole>::Whole(body), None)
}

/// Begins a JSON response that must not be cached.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((CACHE_CONTROL, "no-store"));
    response
}

/// Counts a long encoded response, and passes it on in pieces; otherwise all of it would be copied into the buffer of its
/// connection.
pub(super) fn in_pieces(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let size = response.response().body().size();
    if !matches!(size, BodySize::Sized(bytes) if bytes > PIECE_BYTES as u64) {
        return response;
    }
    let (request, response) = response.into_parts();
    let is_own = !request.path().starts_with(ASSETS);
    let response = response.map_body(|_, body| match body.try_into_bytes() {
        Ok(rest) => Body::new(&request, Whole { rest, is_own }, size, None).boxed(),
        Err(body) => body,
    });
    ServiceResponse::new(request, response)
}

/// Refuses a long response if unread data of all clients exceeds its limit, and ends the slowest one to make room for the next.
///
/// # Errors
///
/// Returns 503 if it is refused.
pub(super) fn check_room(worker: &Worker) -> Result<(), Problem> {
    if !worker.router.borrow().shared().is_crowded() {
        return Ok(());
    }
    worker.metrics().answers_refused.inc();
    worker.connections.relieve(Instant::now());
    Err(Problem::unavailable("other clients have too much unread data (push.waiting_bytes_max)"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use prometheus_client::metrics::counter::Counter;

    use super::*;
    use crate::transport::turnstile::Order;

    const PER_TURN: usize = 4;

    fn text(mut pieces: impl Pieces) -> (String, usize) {
        let (mut text, mut longest, mut held) = (String::new(), 0, usize::MAX);
        while let Some(piece) = pieces.next_piece() {
            text.push_str(std::str::from_utf8(&piece).unwrap());
            longest = longest.max(piece.len());
            assert!(pieces.held_bytes() <= held, "less and less is held");
            held = pieces.held_bytes();
        }
        assert_eq!(held, 0);
        (text, longest)
    }

    #[test]
    fn a_document_comes_in_pieces_whatever_its_length() {
        for count in [0_usize, 1, 2, 10_000] {
            let items = (0..count).collect();
            let encode = |item: &usize, out: &mut Vec<u8>| out.extend_from_slice(item.to_string().as_bytes());
            let (text, longest) = text(Array::new(r#"{"items":["#.into(), items, encode));
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let read = document["items"].as_array().unwrap();
            assert!(read.iter().map(|item| item.as_u64().unwrap()).eq(0..count as u64), "{count}");
            assert!(longest < PIECE_BYTES + 100, "{longest}");
        }
    }

    #[actix_web::test]
    async fn all_responses_together_send_a_few_pieces_per_turn_and_progress_alike() {
        let delayed = Counter::default();
        let turns = Turnstile::new(PER_TURN, Order::OldestFirst, delayed.clone(), std::sync::Arc::default());
        let sent = Rc::new(RefCell::new([0; 100]));
        let encode = |item: &usize, out: &mut Vec<u8>| out.extend_from_slice(item.to_string().as_bytes());
        let answer = |index: usize| {
            let Answer::Long(pieces) = begin(Array::new("[".into(), (0..50_000_usize).collect(), encode)) else {
                panic!("it is long");
            };
            assert!(pieces.made.len() > 1, "both those that are there and those that are not are counted");
            let held = Held::new(prometheus_client::metrics::gauge::Gauge::default());
            let mut body =
                Body { pieces, size: BodySize::Stream, held, turns: turns.clone(), turn: None, account: None };
            let sent = sent.clone();
            actix_web::rt::spawn(async move {
                while std::future::poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.is_some() {
                    sent.borrow_mut()[index] += 1;
                }
            })
        };
        let answers: Vec<_> = (0..100).map(answer).collect();
        // Like a hub with an event to route: it continues after all other tasks have run.
        while !answers.iter().all(actix_web::rt::task::JoinHandle::is_finished) {
            let before: usize = sent.borrow().iter().sum();
            tokio::task::yield_now().await;
            let sent = sent.borrow();
            assert!(sent.iter().sum::<usize>() - before <= PER_TURN, "{sent:?} after {before}");
            assert!(sent.iter().max().unwrap() - sent.iter().min().unwrap() <= PER_TURN + 1, "{sent:?}");
        }
        assert!(sent.borrow().iter().all(|pieces| *pieces > 8), "{sent:?}");
        assert!(delayed.get() > 500, "{}", delayed.get());
    }

    #[test]
    fn an_encoded_response_is_passed_on_in_pieces() {
        for length in [1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES] {
            let whole = "x".repeat(length);
            let begun = Begun {
                made: VecDeque::from([Bytes::from("begun")]),
                rest: Whole { rest: whole.clone().into(), is_own: true },
            };
            let (text, longest) = text(begun);
            assert!(text == format!("begun{whole}") && longest <= PIECE_BYTES);
        }
    }
}
