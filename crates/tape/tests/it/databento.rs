//! DBN: Databento's own samples, two real records of each schema, in every version that is read.

use dbn::decode::{DbnDecoder, DbnMetadata};
use dbn::encode::dbn::MetadataEncoder;
use tickcast_tape::{ReadOptions, open};

use crate::{Folder, all, complaint, fixture, rows, shown, symbol};

fn plain() -> ReadOptions {
    ReadOptions::default()
}

fn sample(name: &str) -> Vec<String> {
    let mut reader = open(&fixture(&format!("databento/{name}")), &plain()).unwrap();
    all(&mut *reader).unwrap().iter().map(shown).collect()
}

/// The values are those that `databento_dbn` (Python) shows.
#[test]
fn the_samples_of_each_schema_are_read() {
    let trades = ["trade ESH1 1609160400099150 3720.25 5", "trade ESH1 1609160400108142 3720.25 21"];
    assert_eq!(sample("trades.dbn"), trades);
    assert_eq!(sample("trades.dbn.zst"), trades);
    let quotes =
        ["quote ESH1 1609160400006136 3720.25 24 3720.50 11", "quote ESH1 1609160400006246 3720.25 24 3720.50 12"];
    assert_eq!(sample("mbp-1.dbn"), quotes);
    assert_eq!(sample("mbp-1.dbn.zst"), quotes);
    assert_eq!(
        sample("tbbo.dbn"),
        [
            "quote ESH1 1609160400099150 3720.25 26 3720.50 7",
            "trade ESH1 1609160400099150 3720.25 5",
            "quote ESH1 1609160400108142 3720.25 21 3720.50 22",
            "trade ESH1 1609160400108142 3720.25 21",
        ]
    );
    assert_eq!(
        sample("ohlcv-1s.dbn"),
        [
            "bar ESH1 1609160400000000 1s 372025.00 372050.00 372025.00 372050.00 57",
            "bar ESH1 1609160401000000 1s 372050.00 372050.00 372050.00 372050.00 13",
        ]
    );
    assert_eq!(
        sample("ohlcv-1m.dbn"),
        [
            "bar ESH1 1609160400000000 60s 372025.00 372150.00 372025.00 372100.00 353",
            "bar ESH1 1609160460000000 60s 372100.00 372150.00 372100.00 372150.00 152",
        ]
    );
    assert_eq!(
        sample("ohlcv-1h.dbn"),
        [
            "bar ESH1 1609160400000000 3600s 372025.00 372350.00 372025.00 372225.00 9385",
            "bar ESH1 1609164000000000 3600s 372225.00 372450.00 371600.00 371950.00 112698",
        ]
    );
}

/// Returns a sample with its metadata changed. Records have the same form in every version.
fn changed(name: &str, version: u8, change: impl Fn(&mut dbn::Metadata)) -> Vec<u8> {
    let content = std::fs::read(fixture(&format!("databento/{name}"))).unwrap();
    let length = u32::from_le_bytes(content[4..8].try_into().unwrap()) as usize + 8;
    let policy = dbn::VersionUpgradePolicy::AsIs;
    let mut metadata = DbnDecoder::with_upgrade_policy(content.as_slice(), policy).unwrap().metadata().clone();
    metadata.version = version;
    metadata.symbol_cstr_len = if version == 1 { 22 } else { 71 };
    change(&mut metadata);
    let mut out = Vec::new();
    MetadataEncoder::new(&mut out).encode(&metadata).unwrap();
    out.extend_from_slice(&content[length..]);
    out
}

#[test]
fn versions_1_to_3_are_read_alike() {
    for name in ["trades.dbn", "tbbo.dbn", "ohlcv-1m.dbn"] {
        for version in 1..=3 {
            let content = changed(name, version, |_| {});
            assert_eq!(content[3], version);
            assert_eq!(rows("x.dbn", content, &plain()), sample(name), "{name}, version {version}");
        }
    }
}

#[test]
fn an_instrument_without_a_symbol_needs_a_name() {
    let content = changed("trades.dbn", 3, |metadata| metadata.mappings.clear());
    let found = complaint("x.dbn", &content, &plain());
    assert!(found.starts_with("x.dbn: record 1: column 'instrument_id': '5482' is not a symbol"), "{found}");
    let options = ReadOptions { symbols: [("5482".into(), symbol("ES"))].into(), ..plain() };
    assert_eq!(rows("x.dbn", content, &options)[0], "trade ES 1609160400099150 3720.25 5");
}

#[test]
fn a_price_or_a_time_that_is_undefined_is_a_mistake_and_a_side_may_be() {
    let content = std::fs::read(fixture("databento/tbbo.dbn")).unwrap();
    let record = content.len() - 2 * 80;
    let with = |offset: usize, value: i64| {
        let mut content = content.clone();
        content[record + offset..record + offset + 8].copy_from_slice(&value.to_le_bytes());
        content
    };
    let found = complaint("x.dbn", with(16, i64::MAX), &plain());
    assert!(found.starts_with("x.dbn: record 1: column 'price': 'undefined' is not a price"), "{found}");
    let found = complaint("x.dbn", with(16, -1_000_000_000), &plain());
    assert!(found.starts_with("x.dbn: record 1: column 'price': '-1.000000000' is not a price"), "{found}");
    let found = complaint("x.dbn", with(16, i64::MIN), &plain());
    assert!(found.contains("column 'price': '-9223372036.854775808' is not a price"), "{found}");
    let found = complaint("x.dbn", with(16, i64::MAX - 1), &plain());
    assert!(found.contains("column 'price': '9223372036.854775806' is not a price"), "{found}");
    let found = complaint("x.dbn", with(32, i64::MAX), &plain());
    assert!(found.contains("column 'ts': '9223372036854775807' is not a time before 2262"), "{found}");
    let found = complaint("x.dbn", with(32, -1), &plain());
    assert!(found.starts_with("x.dbn: record 1: column 'ts': '18446744073709551615' is not a time"), "{found}");
    let expected = sample("tbbo.dbn")[1..].to_vec();
    assert_eq!(rows("x.dbn", with(48, i64::MAX), &plain()), expected, "the trade stays");
}

#[test]
fn no_changed_byte_causes_a_panic() {
    for name in ["trades.dbn", "tbbo.dbn", "ohlcv-1s.dbn"] {
        let content = std::fs::read(fixture(&format!("databento/{name}"))).unwrap();
        let folder = Folder::new();
        for place in 0..content.len() {
            for value in [0, 1, 0x7f, 0xff, content[place] ^ 1] {
                let mut changed = content.clone();
                changed[place] = value;
                let path = folder.write("x.dbn", changed);
                if let Ok(mut reader) = open(&path, &plain()) {
                    while let Ok(Some(_)) = reader.next() {}
                }
            }
        }
    }
}
