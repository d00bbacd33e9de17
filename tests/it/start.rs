//! The start of the binary.

use crate::command::{run, spawn_binary, spawn_binary_in};
use crate::http::get;

#[actix_web::test]
async fn one_line_at_the_start_names_address_workers_symbols_and_seed() {
    let variables =
        [("TICKCAST__SERVER__WORKERS", "3"), ("TICKCAST__FEED__SEED", "7"), ("TICKCAST__FEED__EXTRA_SYMBOLS", "5")];
    let process = spawn_binary(&[], &variables).await;
    for part in [format!("url=http://{}/", process.address), "workers=3".into(), "symbols=35".into(), "seed=7".into()] {
        assert!(process.start_line.contains(&part), "{part}: {}", process.start_line);
    }
    let answer = get(process.address, "/api/v1/symbols").await.json();
    assert_eq!(answer["symbols"].as_array().unwrap().len(), 35);
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(ended.status.success());
    assert!(ended.stderr.lines().all(|line| line.contains("shutting down")), "nothing else: {}", ended.stderr);
}

#[actix_web::test]
async fn the_port_comes_from_the_environment_and_the_command_line_overrides_it() {
    let port = free_port().to_string();
    let process = spawn_binary(&[], &[("TICKCAST__SERVER__PORT", &port)]).await;
    assert_eq!(process.address.port().to_string(), port);
    assert_eq!(get(process.address, "/healthz").await.status, 200);
    // The port is in use, so the second server starts only with another port.
    let other = spawn_binary(&["--port", "0"], &[("TICKCAST__SERVER__PORT", &port)]).await;
    assert_ne!(other.address.port(), process.address.port());
}

#[actix_web::test]
async fn settings_come_from_a_file_and_the_environment_overrides_it() {
    let directory = Directory::new("settings");
    let file = directory.path.join("my.toml");
    std::fs::write(&file, "[server]\nworkers = 1\n[feed]\nseed = 5\nextra_symbols = 1\n").unwrap();
    let process = spawn_binary(&["--config", file.to_str().unwrap()], &[("TICKCAST__FEED__SEED", "6")]).await;
    for part in ["workers=1", "symbols=31", "seed=6"] {
        assert!(process.start_line.contains(part), "{part}: {}", process.start_line);
    }
    drop(process);
    std::fs::create_dir(directory.path.join("config")).unwrap();
    std::fs::rename(&file, directory.path.join("config/quiet.toml")).unwrap();
    let process = spawn_binary_in(&directory.path, &[], &[("TICKCAST_PROFILE", "quiet")]).await;
    assert!(process.start_line.contains("seed=5"), "{}", process.start_line);
}

#[actix_web::test]
async fn a_host_may_be_an_ipv6_address_and_localhost_has_both_addresses() {
    for (host, addresses) in [
        ("[::1]", &["[::1]"][..]),
        ("::1", &["[::1]"]),
        ("localhost", &["127.0.0.1", "[::1]"]),
        ("127.0.0.1", &["127.0.0.1"]),
    ] {
        let process = spawn_binary(&[], &[("TICKCAST__SERVER__HOST", host)]).await;
        for address in addresses {
            let address = format!("{address}:{}", process.address.port()).parse().unwrap();
            assert_eq!(get(address, "/healthz").await.status, 200, "{host} {address}");
        }
    }
}

#[actix_web::test]
async fn an_empty_variable_counts_as_not_set() {
    let variables = [
        ("TICKCAST__SERVER__HOST", ""),
        ("TICKCAST__FEED__SEED", ""),
        ("TICKCAST__SERVER__ALLOWED_ORIGINS", ""),
        ("TICKCAST_PROFILE", ""),
    ];
    let process = spawn_binary(&[], &variables).await;
    assert!(process.start_line.contains("seed=42"), "{}", process.start_line);
    assert_eq!(get(process.address, "/healthz").await.status, 200);
}

#[actix_web::test]
async fn it_runs_from_any_directory_with_everything_it_serves() {
    let directory = Directory::new("anywhere");
    let process = spawn_binary_in(&directory.path, &[], &[]).await;
    for path in
        ["/", "/static/js/app.js", "/static/js/app.libraries.js", "/api/v1/symbols", "/healthz", "/readyz", "/metrics"]
    {
        let answer = get(process.address, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.is_empty(), "{path}");
    }
    assert_eq!(std::fs::read_dir(&directory.path).unwrap().count(), 0, "and leaves nothing behind");
}

#[actix_web::test]
async fn version_and_help_are_printed_on_request() {
    let version = run(&["--version"], &[]).await;
    assert_eq!((version.status.code(), version.stdout), (Some(0), format!("tickcast {}\n", env!("CARGO_PKG_VERSION"))));
    let help = run(&["--help"], &[]).await;
    assert_eq!(help.status.code(), Some(0));
    for part in ["--config", "--port", "--version", "TICKCAST__SERVER__PORT"] {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
}

/// Returns a free port below those that the system assigns for port 0, so that no other process gets it meanwhile.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    (first..32_000).find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// An empty directory that is removed when dropped.
struct Directory {
    path: std::path::PathBuf,
}

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickcast-{name}-{}", std::process::id()));
        // A directory may be left from a killed process with the same id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self { path }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
