//! `docs/operations/tickcast.service` in systemd-analyze.

use std::process::Command;

use super::{Neighbour, document, replaced};

/// The highest exposure by `systemd-analyze security`, in tenths; a service without any restriction has 96.
const EXPOSURE_MAX: u32 = 15;

#[test]
fn the_unit_of_systemd_is_valid_and_exposes_little() {
    let directory = Neighbour::new("systemd");
    let unit = replaced(
        &document("tickcast.service"),
        // The program must be there.
        &[("/usr/local/bin/tickcast", env!("CARGO_BIN_EXE_tickcast"))],
    );
    directory.write("tickcast.service", &unit);
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    for arguments in [&["verify"][..], &["security", "--offline=true", "--no-pager", &threshold]] {
        let mut command = Command::new("systemd-analyze");
        let output = command.args(arguments).arg(directory.directory.join("tickcast.service")).output().unwrap();
        let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        assert!(arguments != ["verify"] || said.is_empty(), "{said}");
    }
}
