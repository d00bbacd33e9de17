//! No secret of a whole run is in anything that the server says: answers, messages, captures, metrics, the addresses of operators, the
//! log at its loudest, and the line of a start that fails. Right, wrong, mistyped, forged and expired credentials come by every way.

use std::net::SocketAddr;

use awc::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;
use tickcast::access::Digest;

use crate::command::{Process, run, spawn_binary};
use crate::http::request;
use crate::issuer::{AUDIENCE, Scratch, Signer, claims_now};
use crate::keyring::{KeyRing, NARROW, WIDE, basic, entry, header_of, offer, secret, two_keys};
use crate::observer::Observer;
use crate::raw::{RawClient, TEXT, handshake};
use crate::spawn::loopback_host;

const HMAC: &str = "a shared secret of issuer and server";
const OF_CONFIG: &str = "the.secret.of.the.configuration";
const WRONG: &str = "a-wrong-secret-of-a-stranger";
/// A secret of this program that no key has.
const REMOVED: &str = "tcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-RJn6K";

/// Everything that was sent to one server, and everything that it has said.
struct Traffic {
    server: SocketAddr,
    admin: SocketAddr,
    sent: String,
    said: Vec<(String, String)>,
}

impl Traffic {
    /// Sends a request to one of the listeners, and reads its answer. Then sends a message, if the request has opened a WebSocket, and reads
    /// so many frames.
    async fn exchange(&mut self, to: SocketAddr, request: &str, message: Option<(&str, usize)>) {
        let line = request.lines().next().unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
        self.sent.push_str(request);
        let mut client = RawClient::connect(to).await;
        let answer = client.request(request).await;
        self.said.push((line.clone(), format!("{} {}", answer.head, answer.body)));
        let (101, Some((text, frames))) = (answer.status, message) else { return };
        self.sent.push_str(text);
        client.send_frame(TEXT, text.as_bytes()).await;
        for _ in 0..frames {
            let Some(frame) = client.next_frame().await else { return };
            self.said.push((line.clone(), String::from_utf8_lossy(&frame.payload).into_owned()));
        }
    }

    async fn get(&mut self, path: &str, headers: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.server);
        self.exchange(self.server, &request, None).await;
    }

    async fn open(&mut self, path: &str, headers: &[(&str, Option<&str>)], message: Option<(&str, usize)>) {
        let request = handshake(headers).replacen("/ws ", &format!("{path} "), 1);
        self.exchange(self.server, &request, message).await;
    }

    /// Sends a word over HTTP, by every way that carries credentials, and by some that do not.
    async fn over_http(&mut self, word: &str) {
        let escaped = word.replace(' ', "%20");
        for value in [basic(WIDE, word), format!("Bearer {word}"), word.to_owned(), format!("Digest {word}")] {
            let header = format!("Authorization: {value}\r\n");
            for path in
                ["/api/v1/symbols", "/handshake/attempt?case=bad_key", "/no/such/address", "/v2/stocks/AAPL/snapshot"]
            {
                self.get(path, &header).await;
            }
            self.get("/api/v1/symbols", &header.repeat(2)).await;
            self.get("/api/v1/symbols", &format!("{header}X-Long: {}\r\n", "x".repeat(17_000))).await;
            for (method, path) in
                [("GET", "/metrics"), ("GET", "/admin/sessions"), ("DELETE", "/admin/sessions?name=nobody")]
            {
                let request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{header}\r\n", self.admin);
                self.exchange(self.admin, &request, None).await;
            }
        }
        for path in [
            "/finnhub/api/v1/quote?symbol=AAPL&token=",
            "/v3/snapshot?apiKey=",
            "/api/v1/symbols?token=",
            "/v3/a?apiKey=",
            "/api/v1/symbols?apiKey=",
            "/api/v1/bars?symbol=AAPL&key=",
            "/no/such/address?token=",
            "/metrics?token=",
        ] {
            self.get(&format!("{path}{escaped}"), "").await;
        }
        self.get("/finnhub/api/v1/quote?symbol=AAPL", &format!("X-Finnhub-Token: {word}\r\n")).await;
        let pair = format!("APCA-API-KEY-ID: {WIDE}\r\nAPCA-API-SECRET-KEY: {word}\r\n");
        self.get("/v2/stocks/AAPL/snapshot", &pair).await;
    }

    /// Sends a word by sockets, with the request or by a message.
    async fn over_sockets(&mut self, word: &str) {
        let bearer = format!("tickcast.bearer.{}", URL_SAFE_NO_PAD.encode(word));
        for offers in [
            format!("tickcast.v1.json, {}", offer(WIDE, word)),
            format!("tickcast.v1.json, {bearer}"),
            bearer.clone(),
            format!("{bearer}, {bearer}"),
            format!("tickcast.v1.json, {bearer}="),
        ] {
            self.open("/ws", &[("Sec-WebSocket-Protocol", Some(&offers))], Some((r#"{"action":"ping"}"#, 2))).await;
        }
        let escaped = word.replace(' ', "%20");
        for path in ["/?token=", "/ws?token=", "/handshake/ws?capture="] {
            self.open(&format!("{path}{escaped}"), &[], None).await;
        }
        let header = header_of(WIDE);
        let renewing = [("Authorization", Some(header.as_str()))];
        let auth = json!({"action": "auth", "token": word}).to_string();
        for message in
            [&auth, &auth[..auth.len() - 2], &auth.replace("token", "tokens"), &auth.replace("auth", "author")]
        {
            self.open("/ws", &[], Some((message, 1))).await;
            // The first frame is the welcome.
            self.open("/ws", &renewing, Some((message, 2))).await;
        }
        let alpaca = json!({"action": "auth", "key": WIDE, "secret": word}).to_string();
        let massive = json!({"action": "auth", "params": word}).to_string();
        for (path, message) in [("/v2/iex", &alpaca), ("/stocks", &massive)] {
            self.open(path, &[], Some((message, 2))).await;
            self.open(path, &[], Some((&message[..message.len() - 2], 2))).await;
        }
        self.open("/v2/iex", &[("Authorization", Some(&format!("Bearer {word}")))], Some(("{}", 2))).await;
    }

    async fn look_around(&mut self) {
        let mut observer = Observer::start_as(self.server, Some(&header_of(WIDE))).await;
        let offers = format!("tickcast.v1.json, {}", offer(WIDE, &secret(WIDE)));
        let (_client, answer) = observer.open(self.server, &[("Sec-WebSocket-Protocol", Some(&offers))]).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        for _ in 0..3 {
            let (event, data) = observer.next().await.unwrap();
            self.said.push(("capture".into(), format!("{event} {data}")));
        }
        for path in ["/metrics", "/admin/sessions", "/admin/past", "/admin/log", "/faults", "/admin"] {
            self.order(Method::GET, path).await;
        }
    }

    async fn order(&mut self, method: Method, path: &str) {
        let answer = request(self.admin, method, path, &[("Authorization", &header_of(WIDE))]).await;
        assert!(matches!(answer.status, 200 | 202), "{path}: {} {}", answer.status, answer.text());
        self.said.push((path.to_owned(), format!("{:?} {}", answer.headers, answer.text())));
    }
}

/// Returns the word, and its encodings, in lower case: as text, in addresses, in base64 alone and after an id, and its digest.
fn forms(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned(), word.replace(' ', "%20"), format!("{:x}", Digest::of(word))];
    for text in [word.to_owned(), format!("{WIDE}:{word}"), format!("{NARROW}:{word}")] {
        let encoded = [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)];
        // The last characters depend on what follows.
        forms.extend(encoded.iter().map(|encoded| encoded[..encoded.len() - 4].to_owned()));
    }
    // Of a token: claims and signature, each for itself.
    forms.extend(word.split('.').skip(1).filter(|part| part.len() > 30).map(str::to_owned));
    forms.iter().map(|form| form.to_lowercase()).collect()
}

/// Variables of the environment.
type Variables = Vec<(&'static str, String)>;

async fn spawn(keys: &KeyRing, host: &str, required: bool) -> (Process, Scratch, Scratch) {
    let hmac = Scratch::new(HMAC);
    let config = Scratch::new(format!("[[keys.pairs]]\nid = \"desk\"\nsecret = \"{OF_CONFIG}\"\n"));
    let (hmac_path, config_path) = (hmac.path(), config.path());
    let required = if required { "true" } else { "false" };
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", required),
        ("TICKCAST__AUTH__FIRST_MESSAGE_MS", "600000"),
        ("TICKCAST__AUTH__KEYS_FILE", keys.path.to_str().unwrap()),
        ("TICKCAST__AUTH__JWT__HMAC_SECRET_FILE", &hmac_path),
        ("TICKCAST__AUTH__JWT__ALGORITHMS", "HS256"),
        ("TICKCAST__AUTH__JWT__AUDIENCE", AUDIENCE),
        ("TICKCAST__LIMITS__ADDRESS_FAILURES_PER_MINUTE", "0"),
        ("TICKCAST__ADMIN__HOST", host),
        ("TICKCAST__ADMIN__PORT", "9100"),
        ("TICKCAST__LOG__WAITING_BYTES_MAX", "268435456"),
        // The library of the sockets would write before the first line of the server.
        ("RUST_LOG", "trace,mio=off,polling=off"),
    ];
    // Where keys are required, all of them are in the key file.
    let arguments = ["--config", config_path.as_str()];
    let process = spawn_binary(if required == "true" { &[] } else { &arguments }, &variables).await;
    (process, hmac, config)
}

#[actix_web::test]
async fn no_secret_of_a_whole_run_is_in_anything_that_the_server_says() {
    let token = |key: &str, claims| Signer::hmac(key.as_bytes()).token(&claims_now(&claims));
    let good = token(HMAC, json!({"jti": "1"}));
    let forged = token("another secret of more than 32 bytes", json!({"jti": "2"}));
    let expired = token(HMAC, json!({"jti": "3", "exp": 1_000_000_000}));
    let known = [secret(WIDE), secret(NARROW)];
    let words = [&known[0], &known[1], WRONG, REMOVED, OF_CONFIG, &good, &forged, &expired];
    for required in [true, false] {
        let keys = KeyRing::new(&two_keys());
        let host = loopback_host();
        let (process, _hmac, _config) = spawn(&keys, &host, required).await;
        let admin = format!("{host}:9100").parse().unwrap();
        let mut traffic = Traffic { server: process.address, admin, sent: String::new(), said: Vec::new() };
        for word in words {
            traffic.over_http(word).await;
            traffic.over_sockets(word).await;
        }
        traffic.look_around().await;
        // A secret in place of its digest, as a mistaken operator writes it.
        keys.write(&[format!("[[keys]]\nid = \"a\"\nsecret_sha256 = \"{REMOVED}\"\nsymbols = []\n")]);
        traffic.order(Method::POST, "/admin/reload").await;
        traffic.order(Method::POST, "/admin/drain").await;
        let log = process.ended().await.stderr;
        assert!(log.contains("keys not reloaded") && log.len() > 50_000, "the log of everything: {}", log.len());
        assert!(traffic.said.len() > 500, "{}", traffic.said.len());
        traffic.said.push(("the log".into(), log));
        let sent = traffic.sent.to_lowercase();
        for word in words.into_iter().chain([HMAC]) {
            let forms = forms(word);
            let found = forms.iter().filter(|form| sent.contains(*form)).count();
            assert!(word == HMAC || found >= 4, "each was sent in several forms: {word}");
            for (place, text) in &traffic.said {
                let text = text.to_lowercase();
                let form = forms.iter().find(|form| text.contains(*form));
                let line = form.and_then(|form| text.lines().find(|line| line.contains(form.as_str())));
                assert_eq!(line, None, "{place} shows {word}");
            }
        }
    }
}

#[actix_web::test]
async fn a_start_that_fails_does_not_show_the_secrets_of_its_files() {
    let hmac = Scratch::new("too short a secret");
    let plain = KeyRing::new(&[format!("[[keys]]\nid = \"a\"\nsecret_sha256 = \"{REMOVED}\"\nsymbols = []\n")]);
    let broken = KeyRing::new(&[format!("{}secret_sha256 = \"{REMOVED}\n", entry("a", "symbols = []"))]);
    let settings = |text: String| {
        let file = std::env::temp_dir().join(format!("tickcast-secrets-{}-{}.toml", std::process::id(), text.len()));
        std::fs::write(&file, text).unwrap();
        file
    };
    let pair = |secret: &str| settings(format!("[[keys.pairs]]\nid = \"desk\"\nsecret = {secret}\n"));
    let files =
        [pair(&format!("\"{REMOVED}")), pair(&format!("[\"{REMOVED}\"]")), pair(&format!("\"{}\"", REMOVED.repeat(9)))];
    let not_a_list = settings(format!("[keys]\npairs = \"desk:{REMOVED}\"\n"));
    let path = |file: &std::path::Path| file.to_str().unwrap().to_owned();
    let mut starts: Vec<(Vec<String>, Variables)> = vec![
        (vec![], vec![("TICKCAST__AUTH__KEYS_FILE", path(&plain.path))]),
        (vec![], vec![("TICKCAST__AUTH__KEYS_FILE", path(&broken.path))]),
        (
            vec![],
            vec![
                ("TICKCAST__AUTH__JWT__HMAC_SECRET_FILE", hmac.path()),
                ("TICKCAST__AUTH__JWT__ALGORITHMS", "HS256".into()),
            ],
        ),
    ];
    starts.extend(files.iter().chain([&not_a_list]).map(|file| (vec!["--config".into(), path(file)], vec![])));
    for (arguments, variables) in &starts {
        let arguments: Vec<_> = ["--port", "0"].into_iter().chain(arguments.iter().map(String::as_str)).collect();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let ended = run(&arguments, &variables).await;
        assert_eq!(ended.status.code(), Some(2), "{arguments:?} {variables:?}: {ended:?}");
        assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
        for word in [&REMOVED[4..20], "too short a secret"] {
            assert!(!ended.stderr.contains(word), "{ended:?}");
        }
    }
    for file in files.iter().chain([&not_a_list]) {
        std::fs::remove_file(file).unwrap();
    }
}
