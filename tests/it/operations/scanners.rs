//! Scanners of other makers: sslyze looks at the TLS of a server, schemathesis sends it what `docs/openapi.json` permits and what that
//! does not.

use std::time::{Duration, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};
use tickcast::domain::{Clock, SystemClock};
use tokio::process::Command;

use super::{Neighbour, program};
use crate::command::{Process, spawn_binary};
use crate::http::get;
use crate::keyring::{KeyRing, WIDE, secret, two_keys};
use crate::patience::patiently;

/// A document of `OpenAPI` cannot say that the mode `latest` is not for bars, nor which symbols there are: of polls and of published events, a
/// refusal is no finding. A WebSocket is opened by a header that no parameter describes.
const CONFIG: &str = "[[operations]]
include-path = \"/api/v1/poll\"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = \"/api/v1/publish\"
checks.positive_data_acceptance.enabled = false
warnings = false
";
const OPENAPI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");

/// Runs a scanner in a directory; returns its exit code and everything that it has written.
async fn scan(mut scanner: Command, directory: &Neighbour) -> (Option<i32>, String) {
    scanner.current_dir(&directory.directory).kill_on_drop(true);
    let output = patiently("the scanner", scanner.output()).await.unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    (output.status.code(), said)
}

/// Writes a certificate and the authority that has signed it: the intermediate configuration of Mozilla asks for more than a self-signed
/// one has.
fn certify(directory: &Neighbour) {
    let [authority_key, key] = [(); 2].map(|()| KeyPair::generate().unwrap());
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let root = authority.self_signed(&authority_key).unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = UNIX_EPOCH + Duration::from_micros(u64::try_from(SystemClock.now().micros()).unwrap());
    params.not_before = (now - Duration::from_hours(24)).into();
    params.not_after = (now + Duration::from_hours(24 * 89)).into();
    let leaf = params.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();
    directory.write("root.pem", &root.pem());
    directory.write("cert.pem", &leaf.pem());
    directory.write("key.pem", &key.serialize_pem());
}

#[actix_web::test]
async fn tls_is_as_mozillas_intermediate_configuration_wants_it() {
    let directory = Neighbour::new("sslyze");
    certify(&directory);
    let path = |name: &str| directory.directory.join(name).to_str().unwrap().to_owned();
    let variables =
        [("TICKCAST__SERVER__TLS__CERT", path("cert.pem")), ("TICKCAST__SERVER__TLS__KEY", path("key.pem"))];
    let server = spawn_binary(&[], &variables.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let target = format!("localhost:{}", server.tls_address.unwrap().port());
    for (config, is_expected) in [("intermediate", true), ("modern", false)] {
        let mut sslyze = program("sslyze/bin/sslyze");
        sslyze.args([&format!("--mozilla_config={config}"), "--certinfo_ca_file=root.pem", &target]);
        let (code, said) = scan(sslyze, &directory).await;
        // The modern one permits nothing but TLS 1.3: the scanner can complain.
        assert_eq!((code == Some(0), said.contains("OK - Compliant.")), (is_expected, is_expected), "{config}: {said}");
    }
}

/// Lets schemathesis ask a server; returns its exit code and what it says.
async fn ask(server: &Process, document: &Value, key: Option<&str>) -> (Option<i32>, String) {
    let directory = Neighbour::new("schemathesis");
    directory.write("openapi.json", &document.to_string());
    directory.write("schemathesis.toml", CONFIG);
    let mut schemathesis = program("schemathesis/bin/st");
    schemathesis.args(["run", "openapi.json", "--max-examples", "30", "--seed", "1", "--no-color"]);
    // A stream has no end, nor has a replay soon. Their parameters are those of polls.
    for path in ["/api/v1/stream", "/api/v1/replay"] {
        schemathesis.args(["--exclude-path", path]);
    }
    schemathesis.args(["--url", &format!("http://{}", server.address)]);
    if let Some(id) = key {
        schemathesis.args(["--auth", &format!("{id}:{}", secret(id))]);
    }
    scan(schemathesis, &directory).await
}

#[actix_web::test]
async fn schemathesis_finds_nothing_without_and_with_keys_and_finds_a_wrong_description() {
    let document: Value = serde_json::from_str(&std::fs::read_to_string(OPENAPI).unwrap()).unwrap();
    let server = spawn_binary(&[], &[]).await;
    let (code, said) = ask(&server, &document, None).await;
    assert!(code == Some(0) && said.contains("No issues found"), "{said}");

    let keys = KeyRing::new(&two_keys());
    let variables = [
        ("TICKCAST__AUTH__REQUIRED", "true"),
        ("TICKCAST__AUTH__KEYS_FILE", keys.path.to_str().unwrap()),
        // Requests with wrong keys are a part of the test.
        ("TICKCAST__LIMITS__ADDRESS_FAILURES_PER_MINUTE", "0"),
    ];
    let guarded = spawn_binary(&[], &variables).await;
    let mut strict = document.clone();
    strict["security"] = json!([{ "basic": [] }]);
    // A server that asks for keys has its metrics on the listener of the operators.
    strict["paths"].as_object_mut().unwrap().remove("/metrics");
    let (code, said) = ask(&guarded, &strict, Some(WIDE)).await;
    assert!(code == Some(0) && said.contains("No issues found"), "{said}");
    // An open server does not ask for the key that this description promises.
    let (code, said) = ask(&server, &strict, Some(WIDE)).await;
    assert!(code == Some(1) && said.contains("API accepts requests without authentication"), "{said}");
}

#[actix_web::test]
async fn the_description_has_every_address_below_api_v1() {
    let document: Value = serde_json::from_str(&std::fs::read_to_string(OPENAPI).unwrap()).unwrap();
    let source = include_str!("../../../src/transport/mod.rs");
    let scope = source.split("web::scope(\"/api/v1\")").nth(1).unwrap().split(';').next().unwrap();
    let names: Vec<_> = scope.split("reading(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(names.len() >= 6, "{names:?}");
    let server = spawn_binary(&[], &[]).await;
    for name in names {
        let path = format!("/api/v1{name}");
        assert!(document["paths"][&path]["get"].is_object(), "{path}");
        // It is an address of the server, with the mistake of a parameter too many.
        assert_eq!(get(server.address, &format!("{path}?no_such=1")).await.status, 400, "{path}");
    }
    assert!(scope.contains("web::resource(\"/ticket\")") && document["paths"]["/api/v1/ticket"]["post"].is_object());
}
