//! File descriptors: the soft limit is raised to the hard one; at the limit further clients get 503, and probes are
//! answered.

use rlimit::{Resource, prlimit};

use crate::command::{Limits, Process, run_limited, spawn_binary, spawn_limited};
use crate::http::get;
use crate::patience::patiently;
use crate::raw::{RawClient, handshake};

/// Attempted sessions: more than 1,024 open files permit.
const ATTEMPTS: usize = 3_000;

/// Opens sessions and keeps them; returns them, and the number of those refused with 503.
async fn attempt(process: &Process) -> (Vec<RawClient>, usize) {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let (mut sessions, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..ATTEMPTS {
        let mut client = RawClient::connect(process.address).await;
        let answer = client.request(&handshake(&[])).await;
        match answer.status {
            101 => sessions.push(client),
            503 => {
                assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
                // Clients that keep their end of a refused connection take no place either.
                refused.push(client);
            }
            _ => panic!("{answer:?}"),
        }
    }
    (sessions, refused.len())
}

async fn probes_answer(process: &Process, sessions: usize, ready: u16) {
    for _ in 0..20 {
        assert_eq!(get(process.address, "/healthz").await.status, 200);
        assert_eq!(get(process.address, "/readyz").await.status, ready);
        let metrics = get(process.address, "/metrics").await;
        let expected = format!("tickcast_sessions {sessions}\n");
        assert!(metrics.text().contains(&expected), "{expected}: {}", metrics.text());
    }
}

#[actix_web::test]
async fn at_the_limit_of_open_files_clients_get_503_and_probes_are_answered() {
    let process = spawn_limited(Limits { soft: 1_024, hard: 1_024 }, &[], &[]).await;
    let warning = process.start_line.clone();
    for part in ["WARN", "open files", "server.connections_max=20000", "1024", "sessions"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let (sessions, refused) = attempt(&process).await;
    assert!((600..1_000).contains(&sessions.len()), "{}", sessions.len());
    assert!(warning.contains(&format!("at most {} sessions", sessions.len())), "{}: {warning}", sessions.len());
    assert_eq!(sessions.len() + refused, ATTEMPTS);
    probes_answer(&process, sessions.len(), 503).await;

    drop(sessions);
    let free = async { while get(process.address, "/readyz").await.status != 200 {} };
    patiently("places to be free again", free).await;
    RawClient::open(process.address).await;
}

#[actix_web::test]
async fn a_soft_limit_below_the_hard_one_is_raised() {
    let limits = Limits { soft: 1_024, hard: 8_192 };
    let variables = [("TICKCAST__SERVER__CONNECTIONS_MAX", "4000")];
    let process = spawn_limited(limits, &["--strict"], &variables).await;
    let (sessions, refused) = attempt(&process).await;
    assert_eq!((sessions.len(), refused), (ATTEMPTS, 0));
    probes_answer(&process, ATTEMPTS, 200).await;
}

#[actix_web::test]
async fn a_limit_that_is_too_low_is_refused_with_strict_or_if_no_session_fits() {
    for (limit, arguments) in [(1_024, ["--port", "0", "--strict"].as_slice()), (64, &["--port", "0"])] {
        let ended = run_limited(Limits { soft: limit, hard: limit }, arguments).await;
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        for part in ["open files", "server.connections_max=20000", &format!("{limit} are allowed")] {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    }
}

/// The limit is lowered while the server runs; the server has adapted to the one at its start.
#[actix_web::test]
async fn connections_without_a_descriptor_are_counted_and_accepted_later() {
    let process = spawn_binary(&[], &[]).await;
    let mut probe = RawClient::connect(process.address).await;
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert!(probe.request(metrics).await.body.contains("tickcast_accept_errors_total 0\n"));
    let (pid, mut soft, mut hard) = (process.id().try_into().unwrap(), 0, 0);
    prlimit(pid, Resource::NOFILE, None, Some((&mut soft, &mut hard))).unwrap();
    prlimit(pid, Resource::NOFILE, Some((5, hard)), None).unwrap();
    let mut newcomer = RawClient::connect(process.address).await;
    let counted = async { while probe.request(metrics).await.body.contains("tickcast_accept_errors_total 0\n") {} };
    patiently("the failure to be counted", counted).await;
    prlimit(pid, Resource::NOFILE, Some((soft, hard)), None).unwrap();
    assert_eq!(newcomer.request("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.status, 200);
}
