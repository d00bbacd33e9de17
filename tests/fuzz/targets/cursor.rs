//! Cursors: accepted are the texts of the documented form and no others; one is read again as it is written.

use tickcast::protocol::Cursor;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_good = text.split_once(':').is_some_and(|(epoch, offset)| {
        let is_epoch = !epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_epoch && offset.bytes().all(|byte| byte.is_ascii_digit()) && offset.parse::<u64>().is_ok()
    });
    let parsed = Cursor::parse(text);
    assert_eq!(parsed.is_some(), is_good, "{text:?}");
    let Some(cursor) = parsed else { return };
    assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor.clone()), "{text:?}");
    assert_eq!(Cursor::new(&cursor.epoch, cursor.offset), Some(cursor.clone()));
    assert!(cursor.to_string().len() <= text.len(), "{text:?}");
}
