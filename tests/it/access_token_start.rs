//! The settings of tokens (JWT) with the real binary: what is wrong is told in one line, with exit code 2; and no token is in the log.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::command::{run, spawn_binary};
use crate::http::get;
use crate::issuer::{AUDIENCE, EC, ED, ISSUER, RSA, STRANGER, Scratch, base64url, bearer, claims_now, offers, set_of};
use crate::keyring::raw_get;

const HS256: (&str, &str) = ("JWT__ALGORITHMS", "HS256");

/// Starts the server with these settings of `[auth.jwt]`, in vain; returns its line.
async fn refused(settings: &[(&str, &str)]) -> String {
    let variables: Vec<_> = settings.iter().map(|(key, value)| (format!("TICKCAST__AUTH__{key}"), *value)).collect();
    let variables: Vec<_> = variables.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    let ended = run(&["--port", "0"], &variables).await;
    assert_eq!(ended.status.code(), Some(2), "{settings:?}: {ended:?}");
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
    ended.stderr
}

#[actix_web::test]
async fn a_bad_setting_or_file_is_refused_in_one_line_that_names_it() {
    let set = Scratch::new(set_of(&[&RSA]));
    let secret = Scratch::new("a secret of at least 32 bytes, that is long");
    let copy = Scratch::new("a secret of at least 32 bytes, that is long\n");
    let (pem, private) = (Scratch::new(EC.public_pem()), Scratch::new(EC.private_pem()));
    let both = Scratch::new(format!("{}{}", EC.public_pem(), ED.public_pem()));
    let (short, empty, words) = (Scratch::new("x".repeat(31)), Scratch::new(""), Scratch::new("words"));
    let open = Scratch::new(set_of(&[&RSA]));
    std::fs::set_permissions(open.path(), std::fs::Permissions::from_mode(0o646)).unwrap();
    let long = Scratch::new(vec![b' '; (256 << 10) + 1]);
    let [set, secret, copy, pem, private, both, short, empty, words, open, long] =
        [&set, &secret, &copy, &pem, &private, &both, &short, &empty, &words, &open, &long].map(Scratch::path);
    let [set, secret, copy, pem, private, both, short, empty, words, open, long] =
        [&set, &secret, &copy, &pem, &private, &both, &short, &empty, &words, &open, &long].map(String::as_str);
    for (settings, named) in [
        (vec![("JWT__AUDIENCE", "a")], "auth.jwt must have a source of keys"),
        (vec![("JWT__JWKS_FILE", set), ("JWT__PUBLIC_KEYS", pem)], "one source of keys only"),
        (vec![("JWT__HMAC_SECRET_FILE", secret), HS256, ("JWT__PUBLIC_KEYS", pem)], "one source of keys only"),
        (vec![("JWT__HMAC_SECRET_FILE", secret)], "auth.jwt.algorithms must name HS256"),
        (vec![("JWT__HMAC_SECRET_FILE", secret), ("JWT__ALGORITHMS", "HS256,RS256")], "auth.jwt.algorithms"),
        (vec![("JWT__PUBLIC_KEYS", pem), ("JWT__ALGORITHMS", "ES256,HS256")], "never beside public keys"),
        (vec![("JWT__PUBLIC_KEYS", pem), ("JWT__ALGORITHMS", "none")], "auth.jwt.algorithms"),
        (vec![("JWT__PUBLIC_KEYS", pem), ("JWT__ALGORITHMS", "RS256")], "no algorithm of this key"),
        (vec![("JWT__JWKS_URL", "https://issuer.example/")], "auth.jwt.audience must be set"),
        (vec![("JWT__JWKS_URL", "http://issuer.example/"), ("JWT__AUDIENCE", "a")], "auth.jwt.jwks_url"),
        (
            vec![("JWT__JWKS_URL", "https://issuer.example/"), ("JWT__AUDIENCE", "a"), ("JWT__JWKS_CA_FILE", words)],
            "jwks_ca_file",
        ),
        (vec![("JWT__HMAC_SECRET_FILE", short), HS256], "at least 32 bytes"),
        (vec![("JWT__HMAC_SECRET_FILE", secret), ("JWT__ALGORITHMS", "HS256,HS512")], "at least 64 bytes"),
        (vec![("JWT__HMAC_SECRET_FILE", empty), HS256], "at least 32 bytes"),
        (
            vec![("JWT__HMAC_SECRET_FILE", "/no/such/file"), HS256],
            "auth.jwt.hmac_secret_file /no/such/file: No such file",
        ),
        (vec![("JWT__HMAC_SECRET_FILE", secret), HS256, ("JWT__HMAC_PREVIOUS_FILE", secret)], "another file"),
        (vec![("JWT__HMAC_SECRET_FILE", secret), HS256, ("JWT__HMAC_PREVIOUS_FILE", copy)], "the same secret"),
        (vec![("JWT__PUBLIC_KEYS", private)], "one public key in PEM"),
        (vec![("JWT__PUBLIC_KEYS", both)], "one public key in PEM"),
        (vec![("JWT__PUBLIC_KEYS", words)], "auth.jwt.public_keys"),
        (vec![("JWT__JWKS_FILE", words)], "no set of keys"),
        (vec![("JWT__JWKS_FILE", open)], "everybody may write"),
        (vec![("JWT__JWKS_FILE", long)], "more than 262144 bytes"),
        (vec![("JWT__JWKS_FILE", "/")], "a directory"),
        (vec![("JWT__JWKS_FILE", set), ("REVOKED_FILE", empty)], "auth.revoked_file"),
        (vec![("JWT__JWKS_FILE", set), ("REVOKED_FILE", "/no/such/file")], "auth.revoked_file /no/such/file"),
        (vec![("REVOKED_FILE", empty)], "auth.revoked_file must not be set"),
        (vec![("JWT__JWKS_FILE", set), ("CACHE_MAX", "10000001")], "auth.cache_max"),
        (vec![("JWT__JWKS_FILE", set), ("JWT__LEEWAY_MS", "300001")], "auth.jwt.leeway_ms"),
        (vec![("JWT__JWKS_FILE", set), ("JWT__DEFAULT__MAX_HZ", "0.0001")], "auth.jwt.default.max_hz"),
        (vec![("JWT__JWKS_FILE", set), ("JWT__DEFAULT__SYMBOLS", "[A]")], "auth.jwt.default.symbols"),
        (vec![("REQUIRED", "true")], "auth.keys_file must be set"),
    ] {
        let line = refused(&settings).await;
        assert!(line.contains(named), "{settings:?}: {named}: {line}");
        assert!(!line.contains("that is long"), "{line}");
    }
}

#[actix_web::test]
async fn a_server_with_public_keys_takes_their_tokens_and_logs_none() {
    let (rsa, ed) = (Scratch::new(RSA.public_pem()), Scratch::new(ED.public_pem()));
    let revoked = Scratch::new("revoked = []");
    let files = format!("{},{}", rsa.path(), ed.path());
    let revoked_file = revoked.path();
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__REVOKED_FILE", &revoked_file),
        ("TICKCAST__AUTH__JWT__PUBLIC_KEYS", &files),
        ("TICKCAST__AUTH__JWT__AUDIENCE", AUDIENCE),
        ("TICKCAST__AUTH__JWT__ISSUER", ISSUER),
        ("RUST_LOG", "trace,mio=off,polling=off"),
    ];
    let mut process = spawn_binary(&[], &variables).await;
    let good = ED.token(&claims_now(&json!({"jti": "7"})));
    let other = RSA.token(&claims_now(&json!({"sub": "bob"})));
    let forged = STRANGER.token(&claims_now(&json!({})));
    let ask = async |token: &str| {
        let header = format!("Authorization: {}\r\n", bearer(token));
        let subprotocol = format!("Sec-WebSocket-Protocol: {}\r\n", offers(token));
        let [rest, socket] = [("/api/v1/symbols", header, false), ("/ws", subprotocol, true)]
            .map(|(path, headers, opens)| async move { raw_get(process.address, path, &headers, opens).await.status });
        (rest.await, socket.await)
    };
    assert_eq!([ask(&good).await, ask(&other).await, ask(&forged).await], [(200, 101), (200, 101), (401, 401)]);
    assert_eq!(get(process.address, &format!("/finnhub/api/v1/quote?symbol=AAPL&token={good}")).await.status, 200);
    revoked.write("[[revoked]]\njti = \"7\"\n");
    process.signal("HUP").await;
    let mut lines = Vec::new();
    while !lines.last().is_some_and(|line: &String| line.contains("tokens reloaded connections_ended=")) {
        lines.push(process.next_line().await);
    }
    assert!(lines.iter().any(|line| line.contains("revocations reloaded revoked=1")), "{lines:?}");
    let address = process.address;
    let header = format!("Authorization: {}\r\n", bearer(&good));
    assert_eq!(raw_get(address, "/api/v1/symbols", &header, false).await.status, 401);
    process.signal("TERM").await;
    lines.push(process.ended().await.stderr);
    let log = lines.concat();
    assert!(log.len() > 1_000);
    for token in [&good, &other, &forged] {
        let signature = token.rsplit('.').next().unwrap();
        let encoded = base64url(token);
        for part in [&token[..60], &signature[..40], &encoded[..60]] {
            assert!(!log.contains(part), "{log}");
        }
    }
}

#[actix_web::test]
async fn a_secret_that_everybody_may_read_is_used_and_told_once_at_start() {
    let (secret, previous) = (Scratch::new("s".repeat(32)), Scratch::new("p".repeat(32)));
    let variables = [
        ("TICKCAST__AUTH__JWT__HMAC_SECRET_FILE", &*secret.path()),
        ("TICKCAST__AUTH__JWT__HMAC_PREVIOUS_FILE", &*previous.path()),
        ("TICKCAST__AUTH__JWT__ALGORITHMS", "HS256"),
    ];
    let chmod = |file: &Scratch, mode| std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode));
    for (mode, other, told) in [(0o640, 0o600, 0), (0o644, 0o600, 1), (0o604, 0o444, 2)] {
        chmod(&secret, mode).unwrap();
        chmod(&previous, other).unwrap();
        let mut process = spawn_binary(&[], &variables).await;
        process.signal("HUP").await;
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains("tokens reloaded connections_ended=")) {
            lines.push(process.next_line().await);
        }
        process.signal("TERM").await;
        lines.push(process.ended().await.stderr);
        let log = lines.join("\n");
        let warnings: Vec<_> = log.lines().filter(|line| line.contains("everybody on this machine may read")).collect();
        assert_eq!(warnings.len(), told, "{mode:o} {other:o}: {log}");
        for (line, path) in warnings.iter().zip([secret.path(), previous.path()]) {
            assert!(line.contains("WARN") && line.contains(&path) && line.contains("chmod o-r"), "{line}");
        }
        assert!(!log.contains("ssssssss") && !log.contains("pppppppp"), "no secret");
    }
}
