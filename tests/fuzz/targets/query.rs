//! Query strings of this server: an accepted one is the same when it is written and read again; a refused one has an answer in JSON of
//! bounded length.

use tickcast::protocol::{Mode, OnLag, Subscribe};
use tickcast::transport::fuzz::{bars_of, subscribe};

use super::native::{channel_names, names};
use super::parts::{check_refusal, escaped, flip};

pub(super) fn run(mut data: &[u8]) {
    let is_paced = flip(&mut data);
    let Ok(query) = std::str::from_utf8(data) else { return };
    match subscribe(query, is_paced) {
        Ok(wanted) => {
            assert!(!wanted.symbols.is_empty() && !wanted.channels.is_empty());
            assert!(names(&wanted.symbols).iter().all(|name| !name.is_empty()));
            let written = written(&wanted);
            assert_eq!(subscribe(&written, is_paced), Ok(wanted), "{query:?}: {written}");
        }
        Err(refusal) => check_refusal(&refusal),
    }
    match bars_of(query) {
        Ok((_, limit, before)) => {
            assert!(limit.is_none_or(|limit| (1..=10_000).contains(&limit)));
            // From the year 0 to the end of the year 9999.
            let micros = before.unwrap_or_default().micros();
            assert!((-62_167_305_600_000_000..253_402_387_200_000_000).contains(&micros), "{micros}");
        }
        Err(refusal) => check_refusal(&refusal),
    }
}

fn written(wanted: &Subscribe) -> String {
    let Subscribe { symbols, channels, mode, on_lag, after } = wanted;
    let mut pairs = vec![format!(
        "symbols={}&channels={}&mode={}",
        escaped(&names(symbols).join(",")),
        escaped(&channel_names(*channels).join(",")),
        mode.name()
    )];
    if let Mode::Latest(Some(rate)) = mode {
        pairs.push(format!("max_hz={}", rate.hz()));
    }
    if let Some(on_lag) = on_lag {
        pairs.push(format!("on_lag={}", if *on_lag == OnLag::Close { "close" } else { "catch_up" }));
    }
    if let Some(after) = after {
        pairs.push(format!("after={}", escaped(&after.to_string())));
    }
    pairs.join("&")
}
