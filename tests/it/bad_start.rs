//! Errors at start: one clear line, and exit code 2.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;

use tokio::process::Command;

use crate::command::{Ended, command, configured, ended, run, spawn_binary};
use crate::secure::Pair;

/// A certificate of X.509 version 1, as `openssl x509 -req` creates it without extensions.
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBIzCBywIULTQqDw3APuUNdG2afGZa1Nn1ncswCgYIKoZIzj0EAwIwFDESMBAG
A1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNjAwMDAzOVoYDzIxMjYxMTAyMDAwMDM5
WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASemjcKs8/MWq5ZCPbtYEKJxByJ1/2Ua+n8NL70ANGnm/8kKST/JdmSkFWDeC2S
vKVgAZNb8ivknLH45zxgUBXuMAoGCCqGSM49BAMCA0cAMEQCIDF/Df+QHuP8KjhA
3+aFYDSdB7mmrqoZQYKibSQH9PPWAiAUiKBBHOT7PAhPu8kF7dDNGU8DmFFI9mCD
zPZI3Z28uA==
-----END CERTIFICATE-----
";

/// Expects the run to be refused with one line that contains all of `parts`.
fn is_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
    for part in parts {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[actix_web::test]
async fn an_unknown_key_is_refused_and_named() {
    is_refused(&run(&["--port", "0"], &[("TICKCAST__SERVER__PROT", "1")]).await, &["prot"]);
    is_refused(&run(&["--port", "0"], &[("TICKCAST__SEVER__PORT", "1")]).await, &["sever"]);
}

#[actix_web::test]
async fn a_bad_value_is_refused_and_its_key_named() {
    for (name, value, key) in [
        ("TICKCAST__SERVER__PORT", "many", "port"),
        ("TICKCAST__SERVER__PORT", "65536", "port"),
        ("TICKCAST__SERVER__WORKERS", "-1", "workers"),
        ("TICKCAST__SERVER__WORKERS", "true", "server.workers"),
        ("TICKCAST__SESSION__HEARTBEAT_MS", "18446744073709551615", "heartbeat_ms"),
        ("TICKCAST__SESSION__HEARTBEAT_MS", "60000", "session.idle_timeout_ms"),
        ("TICKCAST__FEED__EVENTS_PER_SECOND", "0", "feed.events_per_second"),
        ("TICKCAST__FEED__SPEED", "fast", "speed"),
        ("TICKCAST__FEED__KIND", "imagined", "kind"),
        ("TICKCAST__FEED__STATE_INTERVAL_MS", "99", "feed.state_interval_ms"),
        ("TICKCAST__FEED__STATE_INTERVAL_MS", "3600001", "feed.state_interval_ms"),
        ("TICKCAST__FEED__STATE_BARS_MAX", "23", "feed.state_bars_max"),
        ("TICKCAST__FEED__STATE_BARS_MAX", "100001", "feed.state_bars_max"),
        ("TICKCAST__PUSH__OUTBOX_EVENTS_MAX", "0", "push.outbox_events_max"),
        ("TICKCAST__HISTORY__EVENTS_MAX", "0", "history.events_max"),
        ("TICKCAST__SESSION__SYMBOLS_MAX", "0", "session.symbols_max"),
    ] {
        is_refused(&run(&["--port", "0"], &[(name, value)]).await, &[key]);
    }
}

/// Expects the run with these variables to be refused because of the history's memory, with the arithmetic.
async fn memory_is_refused(variables: &[(&str, &str)], parts: &[&str]) {
    let ended = run(&["--port", "0"], variables).await;
    is_refused(&ended, &["history.memory_max_bytes is "]);
    is_refused(&ended, parts);
}

#[actix_web::test]
async fn a_history_that_could_exceed_its_memory_is_refused_with_the_arithmetic() {
    let many = ("TICKCAST__FEED__EXTRA_SYMBOLS", "10000");
    let bars = "10030 symbols x 6 intervals x 3000 bars (history.bars_max) x 32 bytes = 5777280000";
    memory_is_refused(&[many, ("TICKCAST__HISTORY__BARS_MAX", "3000")], &[bars]).await;
    let events = ["is 1000000,", "history.events_max 262144 x 256 bytes = 67108864"];
    memory_is_refused(&[("TICKCAST__HISTORY__MEMORY_MAX_BYTES", "1000000")], &events).await;
    let past = ["history.past_bars_max 100000000 x 32 bytes = 3200000000"];
    memory_is_refused(&[("TICKCAST__HISTORY__PAST_BARS_MAX", "100000000")], &past).await;
}

#[actix_web::test]
async fn a_file_that_is_missing_or_not_toml_is_refused_and_named() {
    is_refused(&run(&["--config", "/nowhere/my.toml"], &[]).await, &["/nowhere/my.toml"]);
    is_refused(&run(&[], &[("TICKCAST_PROFILE", "nowhere")]).await, &["nowhere"]);
    let path = std::env::temp_dir().join(format!("tickcast-bad-{}.toml", std::process::id()));
    let name = path.file_name().unwrap().to_str().unwrap();
    for (text, part) in [
        ("[server\n", name),
        ("[server]\nport = \"many\"\n", name),
        ("[server]\nport = \"many\"\n", "server.port"),
        ("[server]\nprot = 1\n", "prot"),
        ("port = 1\n", "port"),
    ] {
        std::fs::write(&path, text).unwrap();
        is_refused(&run(&["--config", path.to_str().unwrap()], &[]).await, &[part]);
    }
    std::fs::remove_file(&path).unwrap();
}

#[actix_web::test]
async fn a_file_that_cannot_be_read_is_refused_and_named() {
    let directory = std::env::temp_dir();
    is_refused(&run(&["--config", directory.to_str().unwrap()], &[]).await, &[directory.to_str().unwrap()]);
    let path = directory.join(format!("tickcast-latin-1-{}.toml", std::process::id()));
    std::fs::write(&path, b"[server]\nhost = \"caf\xe9\"\n").unwrap();
    is_refused(&run(&["--config", path.to_str().unwrap()], &[]).await, &[path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
}

#[actix_web::test]
async fn settings_are_read_from_a_pipe() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"[server]\nhost = \"192.0.2.1\"\n").unwrap();
    drop(writer);
    let mut command = command(&["--port", "0", "--config", "/dev/stdin"], &[]);
    is_refused(&ended(command.stdin(reader)).await, &["192.0.2.1"]);
}

#[actix_web::test]
async fn a_profile_or_a_key_that_is_not_utf_8_is_refused() {
    let latin_1 = OsStr::from_bytes(b"caf\xe9");
    for (name, part) in [("TICKCAST_PROFILE", "TICKCAST_PROFILE"), ("TICKCAST__SERVER__HOST", "server__host")] {
        let mut command = command(&["--port", "0"], &[]);
        let ended = ended(command.env(name, latin_1)).await;
        is_refused(&ended, &[part]);
    }
}

#[actix_web::test]
async fn a_port_that_is_in_use_is_refused_and_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    is_refused(&run(&["--port", &port], &[]).await, &[&port, "in use"]);
}

#[actix_web::test]
async fn a_host_of_another_machine_is_refused_and_named() {
    let variables = [("TICKCAST__SERVER__HOST", "192.0.2.1")];
    is_refused(&run(&["--port", "0"], &variables).await, &["192.0.2.1"]);
}

/// Starts the server with these files as certificate and key.
async fn run_with(cert: &str, key: &str) -> Ended {
    let variables = [("TICKCAST__SERVER__TLS__CERT", cert), ("TICKCAST__SERVER__TLS__KEY", key)];
    run(&["--port", "0"], &variables).await
}

#[actix_web::test]
async fn an_invalid_certificate_or_key_is_refused_and_named() {
    let (pair, other) = (Pair::new("bad-start"), Pair::new("bad-start-other"));
    let (cert, key, directory) = (pair.cert(), pair.key(), pair.directory());
    let missing = format!("{directory}/missing.pem");
    is_refused(&run_with(&missing, &key).await, &["server.tls.cert", &missing, "No such file"]);
    is_refused(&run_with(&cert, &missing).await, &["server.tls.key", &missing, "No such file"]);
    is_refused(&run_with(&directory, &key).await, &["server.tls.cert", &directory, "directory"]);
    is_refused(&run_with(&cert, &cert).await, &["server.tls.key", &cert, "no private key"]);
    is_refused(&run_with(&key, &key).await, &["server.tls.cert", &key, "no certificate"]);
    is_refused(&run_with(&cert, &other.key()).await, &["does not belong", &cert, &other.key()]);
    is_refused(&run_with(&cert, "").await, &["server.tls.key", "must be set"]);
    is_refused(&run_with("", &key).await, &["server.tls.cert", "must be set"]);

    let old = format!("{directory}/old.pem");
    std::fs::write(&old, VERSION_1).unwrap();
    is_refused(&run_with(&old, &key).await, &["server.tls.cert", &old, "X.509 version 1"]);

    let bad = format!("{directory}/bad.pem");
    for (name, text) in [
        ("CERTIFICATE", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("CERTIFICATE", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"),
        ("CERTIFICATE", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        ("CERTIFICATE", "hello\n"),
        ("PRIVATE KEY", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("PRIVATE KEY", "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n"),
        ("PRIVATE KEY", ""),
    ] {
        std::fs::write(&bad, text).unwrap();
        let (ended, named) = match name {
            "CERTIFICATE" => (run_with(&bad, &key).await, "server.tls.cert"),
            _ => (run_with(&cert, &bad).await, "server.tls.key"),
        };
        is_refused(&ended, &[named, &bad]);
    }
}

#[actix_web::test]
async fn an_https_port_that_is_in_use_is_refused_and_named() {
    let pair = Pair::new("taken");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (cert, key) = (pair.cert(), pair.key());
    let variables = [
        ("TICKCAST__SERVER__TLS__CERT", cert.as_str()),
        ("TICKCAST__SERVER__TLS__KEY", &key),
        ("TICKCAST__SERVER__TLS__PORT", &port),
    ];
    is_refused(&run(&["--port", "0"], &variables).await, &[&port, "in use"]);
}

/// Starts the server as another user who may have this many threads.
async fn run_with_threads(threads: u32) -> Ended {
    // No other user of this machine has this number.
    let user = 1_000_000_000 + std::process::id();
    let limit = format!("--nproc={threads}");
    let arguments = [&limit, env!("CARGO_BIN_EXE_tickcast"), "--port", "0"];
    let mut command = configured(Command::new("prlimit"), &arguments, &[("TICKCAST__SERVER__WORKERS", "8")]);
    // The allocator's own threads and complaints would disturb the count.
    command.env("_RJEM_MALLOC_CONF", "background_thread:false");
    ended(command.uid(user).gid(user)).await
}

#[actix_web::test]
async fn a_lack_of_threads_is_reported_in_one_line() {
    // Only root can become another user, whose threads are all known.
    if !rustix::process::geteuid().is_root() {
        return eprintln!("skipped: needs to run as root");
    }
    let log = run_with_threads(1).await;
    assert_eq!((log.status.code(), log.stderr.lines().count()), (Some(1), 1), "{log:?}");
    assert!(log.stderr.contains("no thread for the log"), "{log:?}");
    // Two threads are the main thread and that of the log; 8 workers and 4 others follow.
    for threads in [2, 3, 4, 5, 9, 12] {
        is_refused(&run_with_threads(threads).await, &["cannot start a thread: "]);
    }
}

#[actix_web::test]
async fn a_server_beyond_loopback_does_not_accept_every_key_unless_that_is_said_explicitly() {
    let beyond =
        |any| [("TICKCAST__SERVER__HOST", "0.0.0.0"), ("TICKCAST__KEYS__ANY", any), ("TICKCAST__AUTH__OPEN", "true")];
    let ended = run(&["--port", "0"], &beyond("true")).await;
    is_refused(&ended, &["keys.any", "everywhere"]);
    drop(spawn_binary(&["--port", "0"], &beyond("everywhere")).await);
    for any in ["loopback", "false"] {
        let line = spawn_binary(&["--port", "0"], &beyond(any)).await.next_line().await;
        let is_warned = ["WARN", "keys.pairs", "tickcast"].iter().all(|part| line.contains(part));
        assert!(is_warned, "the default key is open to everybody: {line}");
    }
}
