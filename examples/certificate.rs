//! Creates a self-signed certificate for `localhost` and `127.0.0.1`, for `make run-tls`: `cert.pem` and `key.pem` in
//! the given directory. Browsers warn about it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// Names in the certificate.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: certificate DIRECTORY");
        return ExitCode::from(2);
    };
    match write_pair(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("{}: {err}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write_pair(directory: &std::path::Path) -> io::Result<()> {
    let pair = rcgen::generate_simple_self_signed(NAMES.map(String::from)).map_err(io::Error::other)?;
    fs::create_dir_all(directory)?;
    fs::write(directory.join("cert.pem"), pair.cert.pem())?;
    // Only the owner may read the key.
    let mut key = fs::OpenOptions::new();
    let mut key = key.create(true).write(true).truncate(true).mode(0o600).open(directory.join("key.pem"))?;
    key.write_all(pair.signing_key.serialize_pem().as_bytes())
}
