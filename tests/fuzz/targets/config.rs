//! Files of settings: an accepted one is valid, and the same when it is read twice; a complaint is one line.

use tickcast::app::Settings;

use super::parts::check_complaint;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Settings::of_files(&[text]) {
        Ok(settings) => {
            assert!(settings.validate().is_ok());
            // A list of tables, the rules of faults, is replaced and not added to.
            assert_eq!(Settings::of_files(&[text, text]).ok().as_ref(), Some(&settings));
        }
        Err(err) => check_complaint(&err.to_string()),
    }
}
