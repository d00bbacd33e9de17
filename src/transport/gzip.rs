//! Compression of JSON responses with gzip, for clients that accept it.
//!
//! Owns: which responses are compressed. Does not own: the assets of the pages, which are compressed when the program is built.

use std::io::Write;

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptEncoding, Encoding, Header};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::transport::pieces::Answer;

/// A shorter response is not compressed: it fits into one packet.
const BYTES_MIN: usize = 1_200;
/// A higher level takes longer and hardly makes bars smaller.
const LEVEL: u32 = 5;

/// Returns whether the client names gzip among the encodings that it accepts.
pub(super) fn is_accepted(request: &HttpRequest) -> bool {
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate([Encoding::gzip()].iter()) == Some(Encoding::gzip()))
}

/// Compresses a short response, if this makes it smaller; one that is encoded while it is sent stays as it is. Takes about a millisecond for
/// 100 kB, so call it on a thread that serves no sessions.
pub(super) fn compressed<P>(answer: Answer<P>) -> Answer<P> {
    let Answer::Whole(plain) = answer else { return answer };
    if plain.len() < BYTES_MIN {
        return Answer::Whole(plain);
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 2), Compression::new(LEVEL));
    match encoder.write_all(&plain).and_then(|()| encoder.finish()) {
        Ok(gzip) if gzip.len() < plain.len() => Answer::Gzip(gzip),
        _ => Answer::Whole(plain),
    }
}
