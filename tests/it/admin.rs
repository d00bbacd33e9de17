//! The listener of the operators: the list of sessions and their end, and the orders.

use awc::http::Method;
use serde_json::{Value, json};
use tickcast::protocol::CloseReason;

use crate::client::Client;
use crate::command::{Process, spawn_binary};
use crate::event_stream::EventSource;
use crate::http::{Answer, get, request, send};
use crate::json_client::massive;
use crate::keyring::{KeyRing, NARROW, WIDE, get_as, header_of, two_keys};
use crate::patience::{patiently, wait_until};
use crate::raw::{PING, PONG, RawClient, TEXT};
use crate::spawn::{TestServer, loopback_host, spawn_app, spawn_app_at_rest, with_operators};

const ADMIN_PORT: (&str, &str) = ("TICKCAST__ADMIN__PORT", "9100");

async fn sessions(server: &TestServer, query: &str) -> Value {
    get(server.admin.unwrap(), &format!("/admin/sessions{query}")).await.json()
}

fn row<'a>(list: &'a Value, name: &Value) -> &'a Value {
    let rows = list["sessions"].as_array().unwrap();
    rows.iter().find(|row| row["session"] == *name).unwrap_or_else(|| panic!("{name} in {list}"))
}

async fn order(server: &TestServer, method: Method, path: &str) -> Answer {
    request(server.admin.unwrap(), method, path, &[]).await
}

#[actix_web::test]
async fn every_session_is_listed_with_its_transport_dialect_and_figures() {
    let server = spawn_app(with_operators);
    let mut native = Client::connect(server.address).await;
    native.subscribe(&["*"], &["trades", "quotes"]).await;
    native.events(50).await;
    let mut stream = EventSource::open(server.address, "symbols=AAPL&channels=trades").await;
    let welcome = stream.next_message().await.unwrap();
    let vendor = massive(server.address).await;
    let cursor =
        get(server.address, "/api/v1/poll?symbols=AAPL&channels=bars.1d&wait_ms=0").await.json()["cursor"].clone();
    let path = format!("/api/v1/poll?symbols=AAPL&channels=bars.1d&wait_ms=60000&after={}", cursor.as_str().unwrap());
    let address = server.address;
    let poll = tokio::task::spawn_local(async move { get(address, &path).await });
    wait_until("four sessions", 4, || server.sessions()).await;
    let listed = async {
        loop {
            // The key of the vendor's client is known a moment after its message.
            let list = sessions(&server, "").await;
            if list["sessions"].as_array().unwrap().iter().any(|row| row["name"].is_string()) {
                return list;
            }
        }
    };
    let list = patiently("the key of the vendor's client", listed).await;
    assert_eq!((&list["matched"], &list["total"], &list["offset"]), (&json!(4), &json!(4), &json!(0)));
    let ours = row(&list, &native.welcome["session"]);
    assert_eq!((&ours["transport"], &ours["dialect"]), (&json!("websocket"), &json!("native")));
    assert_eq!((&ours["address"], &ours["name"]), (&json!("127.0.0.1"), &Value::Null));
    assert!(ours["events"].as_u64().unwrap() >= 50 && ours["bytes"].as_u64().unwrap() > 50 * 40, "{ours}");
    assert!(ours["rate"].as_f64().unwrap() > 0.0 && ours["age_s"].is_u64() && ours["latency_ms"].is_null(), "{ours}");
    assert_eq!(row(&list, &welcome["session"])["transport"], "stream");
    let mut kinds: Vec<_> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["transport"], row["dialect"], row["name"]).replace('"', ""))
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        ["poll native null", "stream native null", "websocket massive tickcast", "websocket native null"]
    );
    drop((native, stream, vendor));
    poll.abort();
    wait_until("no session", 0, || server.sessions()).await;
    assert_eq!(sessions(&server, "").await["sessions"], json!([]), "a session that has left is not listed");
}

#[actix_web::test]
async fn the_slowest_session_comes_first_and_pages_do_not_overlap() {
    let server = spawn_app(|settings| {
        with_operators(settings);
        settings.feed.events_per_second = 5_000.0;
        settings.server.write_buffer_bytes = 4_096;
        settings.server.unsent_bytes_max = 4_096;
        settings.session.stall_timeout_ms = 600_000;
        settings.session.idle_timeout_ms = 1_000_000;
        settings.admin.sessions_max = 5;
    });
    let mut quick = Vec::new();
    for _ in 0..6 {
        quick.push(Client::connect(server.address).await);
    }
    let mut jammed = RawClient::open_narrow(server.address).await;
    let welcome: Value = serde_json::from_slice(&jammed.next_of(TEXT).await).unwrap();
    jammed.send_frame(TEXT, br#"{"action":"subscribe","symbols":["*"],"channels":["trades","quotes"]}"#).await;
    let slow = async {
        loop {
            let list = sessions(&server, "?limit=1").await;
            let first = &list["sessions"][0];
            if first["waiting_ms"].as_u64().unwrap() > 300 {
                return first.clone();
            }
        }
    };
    let first = patiently("the jammed session to wait", slow).await;
    assert_eq!(first["session"], welcome[0]["session"]);
    assert!(first["queue"].as_u64().unwrap() > 0 && first["lag"].as_u64().unwrap() > 0, "{first}");
    let mut seen = Vec::new();
    for offset in [0, 3, 6, 9] {
        let page = sessions(&server, &format!("?limit=3&offset={offset}")).await;
        assert_eq!(page["matched"], 7);
        let names = page["sessions"].as_array().unwrap().iter().map(|row| row["session"].as_str().unwrap().to_owned());
        seen.extend(names);
    }
    assert_eq!((seen.len(), seen[0].as_str()), (7, welcome[0]["session"].as_str().unwrap()));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 7);
    assert_eq!(sessions(&server, "").await["sessions"].as_array().unwrap().len(), 5, "admin.sessions_max");
    for bad in ["limit=0", "limit=6", "limit=x", "offset=-1", "offset=100001", "name=", "colour=red", "limit=1&limit=2"]
    {
        assert_eq!(get(server.admin.unwrap(), &format!("/admin/sessions?{bad}")).await.status, 400, "{bad}");
    }
    drop(quick);
}

#[actix_web::test]
async fn a_long_list_is_whole_also_while_there_are_too_many_unread_data() {
    const SESSIONS: usize = 700;
    let server = spawn_app(|settings| {
        with_operators(settings);
        settings.admin.sessions_max = 2_000;
    });
    let mut clients = Vec::new();
    for _ in 0..SESSIONS {
        clients.push(RawClient::open(server.address).await);
    }
    // As if others had left so much unread.
    server.metrics.waiting_bytes.inc_by(1 << 40);
    let answer = get(server.admin.unwrap(), "/admin/sessions?limit=2000").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, ""), "in pieces");
    let list = answer.json();
    assert_eq!((&list["matched"], list["sessions"].as_array().unwrap().len()), (&json!(SESSIONS), SESSIONS));
    let of_pages = [0, 600].map(async |offset| {
        let page = sessions(&server, &format!("?limit=600&offset={offset}")).await;
        page["sessions"].as_array().unwrap().iter().map(|row| row["session"].clone()).collect::<Vec<_>>()
    });
    let mut names = futures_util::future::join_all(of_pages).await.concat();
    assert_eq!(names.len(), SESSIONS);
    names.sort_by_key(|name| name.as_str().unwrap().to_owned());
    names.dedup();
    assert_eq!(names.len(), SESSIONS, "each once");
}

#[actix_web::test]
async fn the_answer_to_a_ping_of_the_server_gives_the_latency() {
    let server = spawn_app(|settings| {
        with_operators(settings);
        settings.session.heartbeat_ms = 50;
    });
    let mut client = RawClient::open(server.address).await;
    // Answers that nobody asked for are no measurement.
    client.send_frame(PONG, b"early").await;
    client.next_of(PING).await;
    client.send_frame(PONG, b"other").await;
    client.send_frame(TEXT, br#"{"action":"ping","id":1}"#).await;
    while !client.next_of(TEXT).await.starts_with(br#"[{"type":"pong""#) {}
    let count = || {
        let buckets = server.metrics.round_trip.buckets();
        buckets.into_iter().map(|(_, count)| count).sum::<u64>()
    };
    assert_eq!((count(), &sessions(&server, "").await["sessions"][0]["latency_ms"]), (0, &Value::Null));
    client.send_frame(PONG, b"").await;
    client.send_frame(PONG, b"").await;
    wait_until("one answer to one ping", 1, count).await;
    let latency = sessions(&server, "").await["sessions"][0]["latency_ms"].as_f64();
    assert!(latency.is_some_and(|latency| latency >= 0.0), "{latency:?}");
    let text = get(server.admin.unwrap(), "/metrics").await.text().to_owned();
    assert!(text.contains("tickcast_round_trip_seconds_bucket{le=\"0.001\"} "), "{text}");
}

#[actix_web::test]
async fn one_session_is_ended_and_told_why_and_no_other() {
    let (server, _clock) = spawn_app_at_rest(with_operators);
    let mut client = Client::connect(server.address).await;
    let mut other = Client::connect(server.address).await;
    let mut stream = EventSource::open(server.address, "symbols=AAPL&channels=bars.1d").await;
    let of_stream = stream.next_message().await.unwrap()["session"].as_str().unwrap().to_owned();
    let of_client = client.welcome["session"].as_str().unwrap().to_owned();
    let ended = order(&server, Method::DELETE, &format!("/admin/sessions/{of_client}")).await;
    assert_eq!(ended.json(), json!({"ended": 1}));
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close, Some((4006, "ended by an operator".into())));
    let goodbye = messages.last().unwrap();
    assert_eq!((&goodbye["type"], &goodbye["reason"]), (&json!("goodbye"), &json!("ended_by_operator")));
    assert!((5_000..10_000).contains(&goodbye["retry_after_ms"].as_u64().unwrap()), "{goodbye}");
    let ended = order(&server, Method::DELETE, &format!("/admin/sessions/{of_stream}")).await;
    assert_eq!(ended.json(), json!({"ended": 1}));
    let last = stream.until("goodbye", |message| message["type"] == "goodbye").await;
    assert_eq!(last.last().unwrap()["reason"], "ended_by_operator");
    wait_until("the other session", 1, || server.sessions()).await;
    other.sync().await;
    assert_eq!(server.metrics.closes(CloseReason::EndedByOperator), 2);
    for (name, status) in [(of_client.as_str(), 404), ("00000000000000ff", 404), ("ff", 400), ("+00000000000000f", 400)]
    {
        let answer = order(&server, Method::DELETE, &format!("/admin/sessions/{name}")).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    assert_eq!(order(&server, Method::POST, "/admin/sessions").await.status, 405);
}

#[actix_web::test]
async fn all_sessions_of_a_key_are_listed_and_ended_on_every_worker() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        with_operators(settings);
    });
    let admin = server.admin.unwrap();
    let mut narrow = Vec::new();
    for _ in 0..6 {
        narrow.push(Client::connect_as(server.address, NARROW).await);
    }
    let mut wide = Client::connect_as(server.address, WIDE).await;
    let list = get_as(admin, WIDE, "/admin/sessions?name=narrow&limit=2").await.json();
    assert_eq!((&list["matched"], &list["total"]), (&json!(6), &json!(7)));
    assert!(list["sessions"].as_array().unwrap().iter().all(|row| row["name"] == NARROW), "{list}");
    let header = header_of(WIDE);
    let headers = [("Authorization", header.as_str())];
    let without = request(admin, Method::DELETE, "/admin/sessions", &headers).await;
    assert_eq!(without.status, 400, "all of nobody in particular: {}", without.text());
    let ended = request(admin, Method::DELETE, "/admin/sessions?name=narrow", &headers).await;
    assert_eq!(ended.json(), json!({"ended": 6}));
    for client in &mut narrow {
        assert_eq!(client.read_to_end().await.1.unwrap().0, 4006);
    }
    wide.sync().await;
    wait_until("the other key's session", 1, || server.sessions()).await;
}

async fn spawn_with_operators(host: &str) -> (Process, std::net::SocketAddr) {
    let mut process = spawn_binary(&[], &[("TICKCAST__ADMIN__HOST", host), ADMIN_PORT]).await;
    assert!(process.next_line().await.contains("admin_url="));
    (process, format!("{host}:9100").parse().unwrap())
}

#[actix_web::test]
async fn a_drain_is_the_shutdown_of_sigterm() {
    let (process, admin) = spawn_with_operators(&loopback_host()).await;
    let mut client = Client::connect(process.address).await;
    let answer = request(admin, Method::POST, "/admin/drain", &[]).await;
    assert_eq!(answer.json(), json!({"draining": true}));
    let (messages, close) = client.read_to_end().await;
    assert_eq!(close, Some((1001, "server shutting down".into())));
    assert_eq!(messages.last().unwrap()["reason"], "shutdown");
    let ended = process.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stderr.contains("order of an operator: drain"), "{ended:?}");
}

#[actix_web::test]
async fn the_log_can_be_made_louder_and_quieter() {
    let (mut process, admin) = spawn_with_operators(&loopback_host()).await;
    let set = async |body: &str| send(admin, Method::PUT, "/admin/log", &[], body.into()).await;
    assert_eq!(get(admin, "/admin/log").await.json(), json!({"filter": "info,actix_server=warn"}));
    for bad in [
        "",
        "info",
        r#"{"filter":""}"#,
        r#"{"filter":"loud"}"#,
        r#"{"filter":"info,a=b=c"}"#,
        r#"{"filter":"tickcast=debug"}"#,
        r#"{"level":"info"}"#,
    ] {
        let answer = set(bad).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text());
        assert!(!answer.problem()["detail"].as_str().unwrap().contains('\n'), "{bad}");
    }
    let long = json!({"filter": format!("info,{}=warn", "x".repeat(2_000))}).to_string();
    assert_eq!(set(&long).await.status, 400);
    assert_eq!(get(admin, "/admin/log").await.json(), json!({"filter": "info,actix_server=warn"}), "as it was");
    let filter = "info,tickcast::transport=debug";
    let answer = set(&json!({ "filter": filter }).to_string()).await;
    assert_eq!(answer.json(), json!({ "filter": filter }));
    let _session = Client::connect(process.address).await;
    let mut lines = vec![process.next_line().await];
    while !lines.last().unwrap().contains("session opened name=") {
        lines.push(process.next_line().await);
    }
    assert!(lines.iter().any(|line| line.contains("log filter=\"info,tickcast::transport=debug\"")), "{lines:?}");
    assert_eq!(set(r#"{"filter":"error"}"#).await.status, 200);
    request(admin, Method::POST, "/admin/drain", &[]).await;
    let rest = process.ended().await.stderr;
    assert!(!rest.contains("INFO") && !rest.contains("DEBUG"), "{rest}");
}

#[actix_web::test]
async fn the_last_points_are_kept_for_plots() {
    let server = spawn_app(|settings| {
        with_operators(settings);
        settings.admin.point_ms = 20;
        settings.admin.points_max = 5;
        settings.feed.events_per_second = 2_000.0;
    });
    let mut client = Client::connect(server.address).await;
    client.subscribe(&["*"], &["trades", "quotes"]).await;
    let full = async {
        loop {
            client.events(10).await;
            let past = get(server.admin.unwrap(), "/admin/past").await.json();
            let points = past["points"].as_array().unwrap();
            let is_busy = |point: &Value| {
                let positive = |name: &str| point[name].as_f64().unwrap() > 0.0;
                positive("delivered") && positive("published") && positive("bytes") && positive("memory")
            };
            if points.len() == 5 && points.iter().any(is_busy) {
                return past;
            }
        }
    };
    let past = patiently("a full ring", full).await;
    assert_eq!((&past["point_ms"], &past["points_max"]), (&json!(20), &json!(5)));
    let times: Vec<_> =
        past["points"].as_array().unwrap().iter().map(|point| point["time"].as_f64().unwrap()).collect();
    assert!(times.is_sorted() && past["points"][0]["sessions"] == 1.0, "{past}");
}
