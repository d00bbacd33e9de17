//! Benchmark: the look-up of a client at its handshake, by a token (JWT) and by a key. Goals: at most 60 µs for a token of RS256 that is
//! verified, at most 5 µs for one that is remembered.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm};
use serde_json::json;
use tickcast::access::{AuthConfig, Caller, Credentials, Digest, JwtConfig, Keys, KeysConfig, LimitsConfig};
use tickcast::domain::SystemClock;
use tickcast::metrics::Metrics;

/// Claims as an issuer of the field makes them.
fn claims() -> serde_json::Value {
    json!({
        "iss": "https://login.example.com/realms/desk", "sub": "f3b1c9d2-7c1e-4f0e-9d7a-1c2b3a4d5e6f", "aud": ["tickcast", "account"],
        "iat": 1_764_200_000, "exp": 4_102_444_800_u64, "jti": "6f1c7a52-0d3b-4f0a-8d53-3f3a3a8b9a10", "azp": "desk",
        "tickcast": {"symbols": ["AAPL", "MSFT", "BTC*"], "channels": ["trades", "bars.*"], "max_hz": 10, "connections_max": 2},
    })
}

/// Returns the file of the public key, and a token of the private one.
fn issuer(name: &str, kind: &'static SignatureAlgorithm, algorithm: Algorithm) -> (String, String) {
    let pair = KeyPair::generate_for(kind).expect("a key");
    let path = std::env::temp_dir().join(format!("tickcast-bench-{name}-{}.pem", std::process::id()));
    std::fs::write(&path, pair.public_key_pem()).expect("a file");
    let pem = pair.serialize_pem();
    let key = match algorithm {
        Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
        Algorithm::ES256 => EncodingKey::from_ec_pem(pem.as_bytes()),
        _ => EncodingKey::from_ed_pem(pem.as_bytes()),
    };
    let header = Header { kid: Some("2026-11".into()), ..Header::new(algorithm) };
    let token = encode(&header, &claims(), &key.expect("a key")).expect("a token");
    (path.to_str().expect("a path of UTF-8").into(), token)
}

fn keys(public_key: &str, cache_max: usize, keys_file: &str) -> Keys {
    let jwt = JwtConfig {
        public_keys: vec![public_key.into()],
        audience: "tickcast".into(),
        issuer: "https://login.example.com/realms/desk".into(),
        ..JwtConfig::default()
    };
    let auth = AuthConfig { required: true, keys_file: keys_file.into(), cache_max, jwt, ..AuthConfig::default() };
    let keys = Keys::new(&KeysConfig::default(), false);
    keys.guarded(&auth, &LimitsConfig::default(), Arc::new(SystemClock), Arc::new(Metrics::default()))
        .expect("good settings")
}

fn access(criterion: &mut Criterion) {
    let secret = "the secret of a key";
    let keys_file = std::env::temp_dir().join(format!("tickcast-bench-keys-{}.toml", std::process::id()));
    let entry = format!("[[keys]]\nid = \"desk\"\nsecret_sha256 = \"{:x}\"\nsymbols = [\"*\"]\n", Digest::of(secret));
    std::fs::write(&keys_file, entry).expect("a file");
    let keys_file = keys_file.to_str().expect("a path of UTF-8").to_owned();
    let mut files = vec![keys_file.clone()];
    for (name, kind, algorithm) in [
        ("RS256", &PKCS_RSA_SHA256, Algorithm::RS256),
        ("ES256", &PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
        ("EdDSA", &PKCS_ED25519, Algorithm::EdDSA),
    ] {
        let (public_key, token) = issuer(name, kind, algorithm);
        for (memory, cache_max) in [("verified", 0), ("remembered", 10_000)] {
            let keys = keys(&public_key, cache_max, &keys_file);
            let caller = Caller::default();
            criterion.bench_function(&format!("access/{name}, {memory}"), |bencher| {
                bencher.iter(|| {
                    keys.identify(Some(Credentials::Token(black_box(&token))), &caller).expect("a good token")
                });
            });
        }
        if name == "RS256" {
            let keys = keys(&public_key, 0, &keys_file);
            // The times must not tell whether an id exists.
            for (what, id, secret) in [
                ("a key", "desk", secret),
                ("a key with a wrong secret", "desk", "the secret of a kez"),
                ("an unknown key", "disk", secret),
            ] {
                let pair = Credentials::Pair { id, secret };
                criterion.bench_function(&format!("access/{what}"), |bencher| {
                    bencher.iter(|| keys.identify(Some(black_box(pair)), &Caller::default()).is_ok());
                });
            }
        }
        files.push(public_key);
    }
    for file in files {
        let _ = std::fs::remove_file(file);
    }
}

criterion_group!(benches, access);
criterion_main!(benches);
