//! The key file and the command that makes its entries, with the real binary.

use std::os::unix::fs::PermissionsExt;

use awc::http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::command::{Ended, run, spawn_binary};
use crate::http::{get, request};
use crate::keyring::{KeyRing, NARROW, WIDE, basic, entry, get_as, two_keys};
use crate::spawn::spawn_app;

const BEYOND: (&str, &str) = ("TICKCAST__SERVER__HOST", "0.0.0.0");

fn is_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(parts.iter().all(|part| ended.stderr.contains(part)), "{parts:?}: {}", ended.stderr);
}

#[actix_web::test]
async fn a_server_beyond_loopback_starts_only_with_keys_or_if_it_is_meant_to_be_open() {
    is_refused(&run(&["--port", "0"], &[BEYOND]).await, &["auth.required", "auth.open"]);
    let ring = KeyRing::new(&two_keys());
    let file = ring.path.to_str().unwrap();
    let keyed = [BEYOND, ("TICKCAST__AUTH__KEYS_FILE", file)];
    is_refused(&run(&["--port", "0"], &keyed).await, &["auth.required"]);
    let mut process = spawn_binary(&[], &[BEYOND, ("TICKCAST__AUTH__OPEN", "true")]).await;
    while !process.next_line().await.contains("WARN ] access is open") {}
    let address = ([127, 0, 0, 1], process.address.port()).into();
    assert_eq!(get(address, "/api/v1/symbols").await.status, 200);
    let required = [keyed[0], keyed[1], ("TICKCAST__AUTH__REQUIRED", "true")];
    let mut process = spawn_binary(&[], &required).await;
    while !process.next_line().await.contains("access required=true keys=2 ") {}
    let address = ([127, 0, 0, 1], process.address.port()).into();
    assert_eq!(get(address, "/api/v1/symbols").await.status, 401);
    for (name, value, named) in
        [("TICKCAST__AUTH__OPEN", "true", "auth.open"), ("TICKCAST__KEYS__ANY", "true", "keys.any")]
    {
        let variables = [keyed[1], required[2], (name, value)];
        is_refused(&run(&["--port", "0"], &variables).await, &[named]);
    }
}

#[actix_web::test]
async fn a_bad_key_file_is_refused_in_one_line() {
    let ring = KeyRing::new(&two_keys());
    let path = ring.path.to_str().unwrap().to_owned();
    let start = async || run(&["--port", "0"], &[("TICKCAST__AUTH__KEYS_FILE", &path)]).await;
    ring.write(&[entry("a", "symbols = []"), entry("a", "symbols = []")]);
    is_refused(&start().await, &[&path, "the id a is there twice"]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o646)).unwrap();
    is_refused(&start().await, &[&path, "everybody may write"]);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser reads it all the same.
    if std::fs::read(&path).is_err() {
        is_refused(&start().await, &[&path, "Permission denied"]);
    }
    std::fs::remove_file(&path).unwrap();
    is_refused(&start().await, &[&path, "No such file"]);
    // Nobody can read this one.
    std::os::unix::fs::symlink(&path, &path).unwrap();
    is_refused(&start().await, &[&path, "symbolic links"]);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    is_refused(&start().await, &[&path, "directory"]);
    std::fs::remove_dir(&path).unwrap();
}

#[actix_web::test]
async fn a_new_key_is_printed_once_and_works_after_sighup_and_no_secret_is_in_the_log() {
    let made = run(
        &[
            "key",
            "new",
            "--id",
            "desk7",
            "--symbols",
            "AAPL",
            "--symbols",
            "BTC*",
            "--max-hz",
            "2.5",
            "--work-per-second-max",
            "200000",
        ],
        &[],
    )
    .await;
    assert!(made.status.success() && !made.stdout.contains("tcs_"), "{made:?}");
    assert!(made.stdout.contains("work_per_second_max = 200000\n"), "{made:?}");
    let secret = made.stderr.split_whitespace().find(|word| word.starts_with("tcs_")).unwrap().to_owned();
    let ring = KeyRing::new(&two_keys());
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__KEYS_FILE", ring.path.to_str().unwrap()),
        ("RUST_LOG", "trace,mio=off,polling=off"),
    ];
    let mut process = spawn_binary(&[], &variables).await;
    let header = basic("desk7", &secret);
    let ask = async || {
        let headers = [("Authorization", header.as_str())];
        request(process.address, awc::http::Method::GET, "/api/v1/symbols", &headers).await
    };
    assert_eq!(ask().await.status, 401);
    ring.write(std::slice::from_ref(&made.stdout));
    process.signal("HUP").await;
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("keys reloaded")) {
        lines.push(process.next_line().await);
    }
    let answer =
        request(process.address, awc::http::Method::GET, "/api/v1/symbols", &[("Authorization", &header)]).await;
    assert_eq!(answer.json()["symbols"].as_array().unwrap().len(), 1);
    assert_eq!(get_as(process.address, "wide", "/api/v1/symbols").await.status, 401);
    // A typo is told, without saying whether the id exists.
    let typo = basic("nobody", &secret.replacen("tcs_", "tcs_x", 1));
    let typo = request(process.address, awc::http::Method::GET, "/api/v1/symbols", &[("Authorization", &typo)]).await;
    assert!(typo.status == 401 && typo.text().contains("checksum"), "{}", typo.text());
    ring.write(&["nonsense".into()]);
    process.signal("HUP").await;
    while !lines.last().is_some_and(|line| line.contains("keys not reloaded, the old ones stay")) {
        lines.push(process.next_line().await);
    }
    process.signal("TERM").await;
    let ended = process.ended().await;
    lines.push(ended.stderr);
    let log = lines.concat();
    let encoded = header.trim_start_matches("Basic ");
    assert!(log.len() > 1_000 && !log.contains(&secret[8..40]) && !log.contains(&encoded[8..40]), "{log}");
    assert_eq!(made.stderr.matches(&secret[8..40]).count(), 1, "once");
}

#[actix_web::test]
async fn a_variable_with_single_underscores_is_refused_because_the_server_would_stay_open() {
    let run = async |name, value| run(&["--port", "0"], &[(name, value), ("TICKCAST__SERVER__WORKERS", "0.5")]).await;
    is_refused(&run("TICKCAST_AUTH_REQUIRED", "true").await, &["TICKCAST_AUTH_REQUIRED", "TICKCAST__AUTH__REQUIRED"]);
    for name in ["TICKCAST__AUTH_REQUIRED", "TICKCAST_AUTH__REQUIRED", "TICKCAST___AUTH__REQUIRED"] {
        is_refused(&run(name, "true").await, &[name, "TICKCAST__AUTH__REQUIRED"]);
    }
    // What Kubernetes sets for services called `tickcast` and `tickcast-server`.
    for (name, value) in [
        ("TICKCAST_PORT", "tcp://10.0.0.1:80"),
        ("TICKCAST_SERVER_PORT", "tcp://10.0.0.1:80"),
        ("TICKCAST_SERVICE_HOST", "10.0.0.1"),
    ] {
        is_refused(&run(name, value).await, &["server.workers"]);
    }
}

#[actix_web::test]
async fn a_bad_new_key_is_refused_by_the_rules_of_the_file() {
    for (arguments, named) in [
        (&["key", "new", "--id", "a:b"][..], "id"),
        (&["key", "new", "--id", "a", "--symbols", "[x]"], "symbols"),
        (&["key", "new", "--id", "a", "--expires", "soon"], "expires"),
        (&["key", "new", "--id", "a", "--symbols", "AAPL,[x]"], "symbols"),
        (&["key", "new", "--id", "a", "--expires", "2026-01-01T00:00:00Z"], "in the past"),
        (&["key", "new", "--id", "a", "--work-per-second-max", "2000000000"], "work_per_second_max"),
    ] {
        is_refused(&run(arguments, &[]).await, &[named]);
    }
}

#[actix_web::test]
async fn where_no_key_is_needed_one_may_still_be_shown() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| settings.auth.keys_file = keys.path.to_str().unwrap().into());
    let all = get(server.address, "/api/v1/symbols").await.json()["symbols"].as_array().unwrap().len();
    assert!(all > 2);
    let some = get_as(server.address, NARROW, "/api/v1/symbols").await;
    assert_eq!(some.json()["symbols"].as_array().unwrap().len(), 2);
    let wrong = request(server.address, Method::GET, "/api/v1/symbols", &[("Authorization", &basic(WIDE, "x"))]).await;
    assert_eq!(wrong.status, 401, "a mistake is no anonymous client");
    assert_eq!(Client::connect(server.address).await.welcome["auth"], Value::Null);
}
