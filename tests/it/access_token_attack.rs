//! Attacks on tokens (JWT): forged, malformed, replayed for another purpose, and at the edges of their time. Each is refused at every
//! address with the check that it fails, and leaves nothing behind.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::issuer::{
    EC, ED, RSA, RSA_2, START_S, STRANGER, Scratch, Signer, base64url, bearer, claims_at, merged, offers, require,
    set_of,
};
use crate::keyring::raw_get;
use crate::spawn::{TestServer, spawn_app_at_rest};

/// The texts by which an answer tells the check that has failed.
const MALFORMED: &str = "malformed, or has an unknown algorithm";
const ALGORITHM: &str = "algorithm of the token is not permitted";
const SIGNATURE: &str = "signature of the token is wrong";
const NO_KEY: &str = "no key of the issuer";
const CRITICAL: &str = "(crit)";
const TYPE: &str = "(typ)";
const AUDIENCE: &str = "(aud)";
const ISSUER: &str = "(iss)";
const TOO_LONG: &str = "8192 bytes";
const NOT_YET: &str = "not valid yet";
const CLAIMS: &str = "the claims of the token are malformed";

fn guarded(set: &Scratch) -> TestServer {
    spawn_app_at_rest(|settings| require(settings, set)).0
}

pub(crate) fn set() -> Scratch {
    Scratch::new(set_of(&[&RSA, &RSA_2, &EC, &ED]))
}

async fn ask(server: SocketAddr, token: &str) -> Answer {
    crate::http::request(server, awc::http::Method::GET, "/api/v1/symbols", &[("Authorization", &bearer(token))]).await
}

/// Returns a token of the first RSA key with some claims replaced.
fn with_claims(claims: &Value) -> String {
    RSA.token_with(&json!({}), claims)
}

/// Returns the same with members of the header replaced.
fn with_header(header: &Value) -> String {
    RSA.token_with(header, &json!({}))
}

/// Returns a good token with another signature, made from its own.
fn with_signature(signer: &Signer, change: impl FnOnce(&str) -> String) -> String {
    let token = signer.token_with(&json!({}), &json!({}));
    let (message, signature) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", change(signature))
}

/// Returns a good token whose header has these characters in place of its own.
fn unsigned(header: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", base64url(header), base64url(claims_at(START_S).to_string()))
}

/// Tokens of which the key, the algorithm or the signature is forged.
pub(crate) fn forged() -> Vec<(&'static str, String, &'static str)> {
    let mut all = Vec::new();
    let signature = with_signature(&RSA, str::to_owned).rsplit_once('.').unwrap().1.to_owned();
    for alg in ["none", "None", "nOnE", "NONE"] {
        let header = format!(r#"{{"alg":"{alg}","kid":"rsa-1"}}"#);
        all.push(("alg none", unsigned(&header, ""), MALFORMED));
        all.push(("alg none, with a signature", unsigned(&header, &signature), MALFORMED));
    }
    all.push(("no alg", unsigned(r#"{"kid":"rsa-1"}"#, &signature), MALFORMED));
    let pem = RSA.public_pem();
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, der).unwrap();
    let n = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, RSA.jwk()["n"].as_str().unwrap())
        .unwrap();
    for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), &der, &n, RSA.jwk()["n"].as_str().unwrap().as_bytes()] {
        let token = Signer::hmac(secret).token_with(&json!({"kid": "rsa-1"}), &json!({}));
        all.push(("HS256 with the public key", token, ALGORITHM));
    }
    let as_rs512 = with_header(&json!({"alg": "RS512"}));
    all.push(("an algorithm of the same key that is not permitted", as_rs512, ALGORITHM));
    all.push(("RS256 for the key of a curve", with_header(&json!({"kid": "ec-1"})), NO_KEY));
    all.push(("ES256 for an RSA key", EC.token_with(&json!({"kid": "rsa-1"}), &json!({})), NO_KEY));
    all.push(("the key of somebody else", STRANGER.token_with(&json!({}), &json!({})), SIGNATURE));
    all.push(("the kid of another key", RSA_2.token_with(&json!({"kid": "rsa-1"}), &json!({})), SIGNATURE));
    for kid in ["../../../../etc/passwd", "rsa-1\0", "RSA-1", "", "https://evil.example/", "' OR 1=1 --", "rsa-1,rsa-2"]
    {
        all.push(("a kid of nobody", with_header(&json!({"kid": kid})), NO_KEY));
    }
    all.push(("a long kid", with_header(&json!({"kid": "k".repeat(4_000)})), NO_KEY));
    all.push(("a kid that is no text", with_header(&json!({"kid": 7})), MALFORMED));
    all.push(("no kid, and two keys", with_header(&json!({"kid": null})), NO_KEY));
    for header in [
        json!({"jwk": STRANGER.jwk()}),
        json!({"jku": "https://evil.example/keys.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"x5c": ["AAAA"]}),
    ] {
        all.push(("a key in the header", STRANGER.token_with(&header, &json!({})), SIGNATURE));
        let named = merged(header, &json!({"kid": "evil"}));
        all.push(("a key in the header with its kid", STRANGER.token_with(&named, &json!({})), NO_KEY));
    }
    all.push(("crit", with_header(&json!({"crit": ["exp"]})), CRITICAL));
    all.push(("crit, empty", with_header(&json!({"crit": []})), CRITICAL));
    all.push(("crit and b64", with_header(&json!({"crit": ["b64"], "b64": false})), CRITICAL));
    all.push(("a token for another protocol", with_header(&json!({"typ": "dpop+jwt"})), TYPE));
    all.push(("a token of a logout", with_header(&json!({"typ": "logout+jwt"})), TYPE));
    all
}

/// Tokens whose bytes are not those that were signed, or no token.
pub(crate) fn malformed() -> Vec<(&'static str, String, &'static str)> {
    let good = RSA.token_with(&json!({}), &json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let other = base64url(merged(claims_at(START_S), &json!({"sub": "bob"})).to_string());
    let deep = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    vec![
        // 340 characters are 255 bytes.
        ("a signature that is cut", with_signature(&RSA, |text| text[..text.len() - 2].into()), SIGNATURE),
        ("a signature that is longer", with_signature(&RSA, |text| format!("{text}AAAA")), SIGNATURE),
        (
            "a changed signature",
            with_signature(&RSA, |text| text.replacen(&text[9..10], if &text[9..10] == "A" { "B" } else { "A" }, 1)),
            SIGNATURE,
        ),
        ("no signature", with_signature(&RSA, |_| String::new()), SIGNATURE),
        ("padding", with_signature(&RSA, |text| format!("{text}==")), MALFORMED),
        ("base64 that is not canonical", with_signature(&RSA, not_canonical), MALFORMED),
        ("base64 of the other alphabet", with_signature(&RSA, |text| format!("+/{}", &text[2..])), MALFORMED),
        (
            "a line end in the signature",
            with_signature(&RSA, |text| format!("{}%0A{}", &text[..8], &text[8..])),
            MALFORMED,
        ),
        ("r = s = 0", with_signature(&EC, |_| base64url([0; 64])), SIGNATURE),
        ("r = s = n", with_signature(&EC, |_| base64url(order_twice())), SIGNATURE),
        ("an ECDSA signature in DER", with_signature(&EC, |_| base64url([0x30, 6, 2, 1, 1, 2, 1, 1])), SIGNATURE),
        ("an Ed25519 signature of zeros", with_signature(&ED, |_| base64url([0; 64])), SIGNATURE),
        ("other claims", format!("{}.{other}.{}", parts[0], parts[2]), SIGNATURE),
        (
            "another header",
            format!("{}.{}.{}", base64url(merged(RSA.header(), &json!({"x": 1})).to_string()), parts[1], parts[2]),
            SIGNATURE,
        ),
        ("four parts", format!("{good}.{}", parts[2]), MALFORMED),
        ("five parts", format!("{good}.{}.{}", parts[1], parts[2]), MALFORMED),
        ("two parts", format!("{}.{}", parts[0], parts[1]), MALFORMED),
        ("empty parts", "..".into(), MALFORMED),
        ("points", ".".repeat(4_000), MALFORMED),
        ("no JSON", RSA.sign(&RSA.header().to_string(), "claims"), CLAIMS),
        ("no object", RSA.sign(&RSA.header().to_string(), "7"), CLAIMS),
        ("no text", RSA.sign(&RSA.header().to_string(), "\"\\ud800\""), CLAIMS),
        ("a header that is no object", RSA.sign("[1]", &claims_at(START_S).to_string()), MALFORMED),
        ("a deep header", RSA.sign(&format!(r#"{{"alg":"RS256","a":{}}}"#, deep("[", "]", 1_000)), "{}"), MALFORMED),
        (
            "deep claims",
            RSA.sign(&RSA.header().to_string(), &format!(r#"{{"sub":{}}}"#, deep("[", "]", 2_500))),
            CLAIMS,
        ),
        (
            "deep objects",
            RSA.sign(&RSA.header().to_string(), &deep("{\"a\":", "}", 500).replace(":}", ":1}")),
            "lacks a valid claim",
        ),
        (
            "alg twice",
            RSA.sign(r#"{"alg":"RS256","alg":"RS256","kid":"rsa-1"}"#, &claims_at(START_S).to_string()),
            MALFORMED,
        ),
    ]
}

/// Tokens with a claim that comes twice, and one that is a byte too long.
pub(crate) fn too_much() -> Vec<(&'static str, String, &'static str)> {
    let mut all = Vec::new();
    for twice in [r#""sub":"bob""#, r#""exp":9999999999"#, r#""tickcast":{}"#, r#""iat":1"#] {
        let claims = claims_at(START_S).to_string();
        let claims = format!("{{{twice},{}", &claims[1..]);
        all.push(("a claim that comes twice", RSA.sign(&RSA.header().to_string(), &claims), CLAIMS));
    }
    let long = (5_500..9_000).map(|len| with_claims(&json!({"x": "x".repeat(len)}))).find(|token| token.len() > 8_192);
    all.push(("a byte too long", long.unwrap(), TOO_LONG));
    all
}

/// Returns base64url whose last character has bits that belong to no byte: other text for the same bytes.
fn not_canonical(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // 256 bytes leave two characters for the last byte, so that four bits are unused.
    let last = ALPHABET.find(text.chars().last().unwrap()).unwrap();
    assert!(last.is_multiple_of(16), "four bits are unused");
    format!("{}{}", &text[..text.len() - 1], &ALPHABET[last + 1..last + 2])
}

/// Returns the order of the curve P-256 twice, as `r` and `s`.
fn order_twice() -> Vec<u8> {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let bytes: Vec<_> =
        (0..32).map(|index| u8::from_str_radix(&order[2 * index..2 * index + 2], 16).unwrap()).collect();
    [bytes.clone(), bytes].concat()
}

/// Tokens of the issuer with claims that are missing, of a wrong form, or for somebody else.
pub(crate) fn bad_claims() -> Vec<(&'static str, String, &'static str)> {
    let text = |name: &str, value: &str| {
        let claims = merged(claims_at(START_S), &json!({(name): null})).to_string();
        RSA.sign(&RSA.header().to_string(), &format!("{{\"{name}\":{value},{}", &claims[1..]))
    };
    let mut all = vec![
        ("no aud", with_claims(&json!({"aud": null})), "claim aud"),
        ("another aud", with_claims(&json!({"aud": "else"})), AUDIENCE),
        ("an aud in another case", with_claims(&json!({"aud": "TICKCAST"})), AUDIENCE),
        ("a list of others", with_claims(&json!({"aud": ["else", "tickcast2"]})), AUDIENCE),
        ("an empty list", with_claims(&json!({"aud": []})), AUDIENCE),
        ("an aud that is no text", with_claims(&json!({"aud": {"tickcast": 1}})), "claim aud"),
        ("no iss", with_claims(&json!({"iss": null})), "claim iss"),
        ("another iss", with_claims(&json!({"iss": "https://issuer.example"})), ISSUER),
        ("an iss that is no text", with_claims(&json!({"iss": 7})), "claim iss"),
        ("no sub", with_claims(&json!({"sub": null})), "claim sub"),
        ("an empty sub", with_claims(&json!({"sub": ""})), "claim sub"),
        ("a sub that is no text", with_claims(&json!({"sub": 7})), "claim sub"),
        ("a sub with a line end", with_claims(&json!({"sub": "a\nb"})), "claim sub"),
        ("a long sub", with_claims(&json!({"sub": "s".repeat(257)})), "claim sub"),
        ("no exp", with_claims(&json!({"exp": null})), "claim exp"),
        ("nbf ahead", with_claims(&json!({"nbf": START_S + 31})), NOT_YET),
        ("iat ahead", with_claims(&json!({"iat": START_S + 31})), NOT_YET),
        ("nbf that is no number", with_claims(&json!({"nbf": "now"})), "claim nbf"),
        ("tickcast that is no object", with_claims(&json!({"tickcast": "*"})), CLAIMS),
        ("an unknown limit", with_claims(&json!({"tickcast": {"symbols": ["*"], "delay_s": 1}})), CLAIMS),
        (
            "a delay that is not served",
            with_claims(&json!({"tickcast": {"symbols": ["*"], "delay_ms": 1}})),
            "tickcast.delay_ms",
        ),
        ("a bad pattern", with_claims(&json!({"tickcast": {"symbols": ["[A-Z]"]}})), "tickcast.symbols"),
        ("a bad channel", with_claims(&json!({"tickcast": {"channels": ["everything"]}})), "tickcast.channels"),
        ("a bad rate", with_claims(&json!({"tickcast": {"max_hz": 0}})), "tickcast.max_hz"),
        ("a negative number", with_claims(&json!({"tickcast": {"symbols_max": -1}})), CLAIMS),
    ];
    for exp in [
        "\"1772464445\"",
        "-1",
        "-1.5",
        "1e300",
        "1e400",
        "1772464445000",
        "1772464445000000",
        "null",
        "true",
        "[1772464445]",
        "18446744073709551616",
    ] {
        all.push((
            "a bad exp",
            text("exp", exp),
            if matches!(exp, "1e400" | "[1772464445]") { CLAIMS } else { "claim exp" },
        ));
    }
    all
}

#[actix_web::test]
async fn a_good_token_of_each_kind_is_let_in() {
    let set = set();
    let server = guarded(&set);
    for (name, token) in [
        ("RS256", RSA.token_with(&json!({}), &json!({}))),
        ("another key", RSA_2.token_with(&json!({}), &json!({}))),
        ("ES256", EC.token_with(&json!({}), &json!({}))),
        ("EdDSA", ED.token_with(&json!({}), &json!({}))),
        ("no kid, and one key of the algorithm", EC.token_with(&json!({"kid": null}), &json!({}))),
        (
            "a key in the header that is ignored",
            with_header(&json!({"jwk": STRANGER.jwk(), "jku": "https://evil.example/"})),
        ),
        ("no typ", with_header(&json!({"typ": null}))),
        ("an access token of RFC 9068", with_header(&json!({"typ": "application/at+jwt"}))),
        ("a list with the audience", with_claims(&json!({"aud": ["else", "tickcast"]}))),
        ("a fraction", with_claims(&json!({"exp": 1_772_464_445.5_f64}))),
        ("claims of others", with_claims(&json!({"scope": "a b", "nested": {"exp": "x"}, "jti": "1"}))),
    ] {
        let answer = ask(server.address, &token).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
}

#[actix_web::test]
async fn every_attack_is_refused_at_every_address_and_leaves_nothing() {
    let set = set();
    let server = guarded(&set);
    let (mut attacks, mut requests) = (0, 0);
    for (name, token, check) in forged().into_iter().chain(malformed()).chain(too_much()).chain(bad_claims()) {
        attacks += 1;
        let header = format!("Authorization: {}\r\n", bearer(&token));
        let subprotocol = format!("Sec-WebSocket-Protocol: {}\r\n", offers(&token));
        for (path, headers, opens) in [
            ("/api/v1/symbols", &header, false),
            ("/api/v1/poll?symbols=AAPL&wait_ms=0", &header, false),
            ("/api/v1/stream?symbols=AAPL", &header, false),
            ("/ws", &header, true),
            ("/ws", &subprotocol, true),
        ] {
            requests += 1;
            let answer = raw_get(server.address, path, headers, opens).await;
            assert_eq!(answer.status, 401, "{name} {path} {token}: {answer:?}");
            let problem: Value = serde_json::from_str(&answer.body).unwrap();
            assert_eq!(problem["code"], "token_invalid", "{name}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains(check), "{name}: {check}: {problem} {token}");
            assert!(answer.head.contains("www-authenticate: bearer error=\"invalid_token\"\r\n"), "{name}: {answer:?}");
            // Nothing of the token comes back.
            assert!(
                !answer.body.contains(&base64url(&token)) && (token.len() < 20 || !answer.body.contains(&token)),
                "{name}"
            );
        }
    }
    assert!(attacks > 90, "{attacks}");
    let [invalid, unknown] = ["invalid", "unknown_kid"].map(|result| server.metrics.auth(result));
    assert_eq!((server.sessions(), invalid + unknown, unknown > 0), (0, requests, true));
    assert_eq!(server.metrics.auth("accepted") + server.metrics.auth_cache_hits.get(), 0);
}

#[actix_web::test]
async fn a_vendors_address_refuses_a_bad_token_also_where_any_word_is_a_key() {
    let set = set();
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.auth.required = false;
    });
    let stranger = STRANGER.token_with(&json!({}), &json!({}));
    for token in [stranger.as_str(), "a.b.c", "tck.en"] {
        for path in ["/v3/snapshot?apiKey=", "/finnhub/api/v1/quote?symbol=AAPL&token="] {
            let answer = crate::http::get(server.address, &format!("{path}{token}")).await;
            assert_eq!(answer.status, 401, "{path}: {}", answer.text());
        }
        let header = format!("Authorization: {}\r\n", bearer(token));
        assert_eq!(raw_get(server.address, "/v2/stocks/AAPL/snapshot", &header, false).await.status, 403, "{token}");
        assert_eq!(raw_get(server.address, &format!("/?token={token}"), "", true).await.status, 401, "{token}");
    }
    // The name of a subject is no key that a client may make up.
    let headers = "APCA-API-KEY-ID: jwt:alice\r\nAPCA-API-SECRET-KEY: x\r\n";
    assert_eq!(raw_get(server.address, "/v2/stocks/AAPL/snapshot", headers, false).await.status, 403);
    assert_eq!(server.sessions(), 0);
}

#[actix_web::test]
async fn the_times_of_a_token_have_the_leeway_and_no_second_more() {
    let set = set();
    for (leeway_ms, leeway) in [(30_000, 30), (0, 0)] {
        let (server, clock) = spawn_app_at_rest(|settings| {
            require(settings, &set);
            settings.auth.jwt.leeway_ms = leeway_ms;
        });
        // The clock stands at 0.123 s after a full second.
        for (claims, code) in [
            (json!({"exp": START_S - leeway}), "token_expired"),
            (json!({"exp": START_S - leeway + 1}), ""),
            (json!({"exp": START_S - leeway - 1}), "token_expired"),
            (json!({"nbf": START_S + leeway}), ""),
            (json!({"nbf": START_S + leeway + 1}), "token_invalid"),
            (json!({"iat": START_S + leeway}), ""),
            (json!({"iat": START_S + leeway + 1}), "token_invalid"),
        ] {
            let answer = ask(server.address, &with_claims(&claims)).await;
            let got = if answer.status == 200 { Value::from("") } else { answer.problem()["code"].clone() };
            assert_eq!(got, code, "{leeway} {claims} {}", answer.text());
            if code == "token_expired" {
                assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer error=\"invalid_token\""));
            }
        }
        // A token that was let in and is remembered ends like any other.
        let token = with_claims(&json!({"exp": START_S + 10}));
        assert_eq!(ask(server.address, &token).await.status, 200);
        clock.advance_micros((10 + leeway) * 1_000_000 - 200_000);
        assert_eq!(ask(server.address, &token).await.status, 200, "{leeway}");
        clock.advance_micros(200_000);
        assert_eq!(ask(server.address, &token).await.problem()["code"], "token_expired", "{leeway}");
    }
}

#[actix_web::test]
async fn wrong_tokens_count_against_their_address_and_expired_ones_do_not() {
    let set = set();
    let (server, _clock) = spawn_app_at_rest(|settings| {
        require(settings, &set);
        settings.limits.address_failures_per_minute = 3;
    });
    for _ in 0..5 {
        let old = with_claims(&json!({"exp": START_S - 3_600}));
        assert_eq!(ask(server.address, &old).await.problem()["code"], "token_expired");
    }
    let forged = STRANGER.token_with(&json!({}), &json!({}));
    for status in [401, 401, 401, 429] {
        assert_eq!(ask(server.address, &forged).await.status, status);
    }
    let good = RSA.token_with(&json!({}), &json!({}));
    assert_eq!(ask(server.address, &good).await.status, 200, "a right one is let in");
}
