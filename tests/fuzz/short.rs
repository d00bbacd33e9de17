//! Runs every fuzz target shortly, on a stable toolchain: over its corpus, and over mutations of it. Part of the unit tests of the
//! server, because some parsers are private to it.
//!
//! `FUZZ_SEED` sets another seed, `FUZZ_RUNS` another number of mutations of each target.

#[path = "targets/mod.rs"]
#[allow(unreachable_pub, reason = "a crate of its own with these shares the module")]
mod targets;

use std::path::Path;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use targets::{ALL, Target};

const SEED: u64 = 14;
/// Mutations of each target.
const RUNS: u64 = 20_000;
/// Longest input, in bytes.
const INPUT_BYTES_MAX: usize = 4_096;
/// Most changes of an input.
const CHANGES_MAX: usize = 6;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says which input it was if the target panics.
struct Report<'a> {
    target: &'a str,
    seed: u64,
    input: &'a [u8],
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, seed, input } = self;
            eprintln!("fuzz target {target}, FUZZ_SEED={seed}, input b\"{}\"", input.escape_ascii());
        }
    }
}

/// Returns the files of the target's corpus.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Returns the words of the target: lines of texts in quotation marks, with `\"`, `\\` and `\xAB`.
fn words(target: &Target) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fuzz/words/{}.dict", target.name));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"')).map(unescaped).collect()
}

fn unescaped(mut text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(first) = text.bytes().next() {
        let (byte, len) = match (first, text.get(1..4)) {
            (b'\\', Some(number)) if number.starts_with('x') => (u8::from_str_radix(&number[1..], 16).unwrap(), 4),
            (b'\\', _) => (text.as_bytes()[1], 2),
            (byte, _) => (byte, 1),
        };
        bytes.push(byte);
        text = &text[len..];
    }
    bytes
}

/// Returns an input made of some of the corpus and of the words of the target.
fn mutated(corpus: &[Vec<u8>], words: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut input = corpus.choose(rng).unwrap().clone();
    for _ in 0..rng.random_range(1..=CHANGES_MAX) {
        change(&mut input, corpus, words, rng);
    }
    input.truncate(INPUT_BYTES_MAX);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    let len = input.len();
    let [one, other] = [rng.random_range(0..=len), rng.random_range(0..=len)];
    let part = one.min(other)..one.max(other);
    match rng.random_range(0..8) {
        // A bit, a byte, a byte more.
        0 if one < len => input[one] ^= 1 << rng.random_range(0..8),
        1 if one < len => input[one] = rng.random(),
        2 => input.insert(one, rng.random()),
        // Without a part, or with it twice.
        3 => _ = input.drain(part),
        4 => {
            let repeated = input[part].to_vec();
            input.splice(one..one, repeated);
        }
        // The end of another input.
        5 => {
            let tail = corpus.choose(rng).unwrap();
            let from = rng.random_range(0..=tail.len());
            input.truncate(one);
            input.extend_from_slice(&tail[from..]);
        }
        // A word, between others or in their place.
        6 => _ = input.splice(one..one, words.choose(rng).unwrap().iter().copied()),
        _ => _ = input.splice(part, words.choose(rng).unwrap().iter().copied()),
    }
}

fn check(name: &str) {
    let target = ALL.iter().find(|target| target.name == name).unwrap();
    let (corpus, words, seed) = (corpus(target), words(target), number("FUZZ_SEED").unwrap_or(SEED));
    assert!(!corpus.is_empty());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let run = |input: &[u8]| {
        let _report = Report { target: name, seed, input };
        (target.run)(input);
    };
    for input in &corpus {
        run(input);
    }
    for _ in 0..number("FUZZ_RUNS").unwrap_or(RUNS) {
        run(&mutated(&corpus, &words, &mut rng));
    }
}

macro_rules! tests {
    ($($target:ident),* $(,)?) => {
        $(
            #[test]
            fn $target() {
                check(stringify!($target));
            }
        )*

        const TESTED: &[&str] = &[$(stringify!($target)),*];
    };
}

tests! {
    alpaca,
    config,
    credentials,
    csv,
    cursor,
    dbn,
    finnhub,
    forwarded,
    frames,
    head,
    key_file,
    key_set,
    massive,
    native,
    proxy_header,
    publish,
    query,
    recording,
    revoked_file,
    ticket,
    token,
    vendor_query,
    vendor_stream,
}

#[test]
fn every_target_is_tested_and_has_a_binary() {
    assert_eq!(ALL.iter().map(|target| target.name).collect::<Vec<_>>(), TESTED);
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/Cargo.toml")).unwrap();
    let binaries: Vec<_> = manifest.lines().filter_map(|line| line.strip_prefix("path = \"bins/")).collect();
    assert_eq!(binaries, TESTED.iter().map(|name| format!("{name}.rs\"")).collect::<Vec<_>>());
}
