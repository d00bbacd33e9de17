//! The order to read files again: what it does and answers, file by file.

use awc::http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::http::request;
use crate::issuer::{self, EC, RSA, Scratch, Signer, bearer, set_of};
use crate::keyring::{KeyRing, NARROW, WIDE, entry, get_as, header_of, two_keys};
use crate::secure::Pair;
use crate::spawn::{spawn_app, spawn_app_at_rest, with_operators};

#[actix_web::test]
async fn files_are_read_again_on_request_and_a_bad_one_is_reported() {
    let keys = KeyRing::new(&two_keys());
    let server = spawn_app(|settings| {
        keys.require(settings);
        with_operators(settings);
    });
    let admin = server.admin.unwrap();
    let mut client = Client::connect_as(server.address, NARROW).await;
    let header = header_of(WIDE);
    let reload = async || request(admin, Method::POST, "/admin/reload", &[("Authorization", &header)]).await.json();
    keys.write(&["nonsense".into()]);
    let read = reload().await;
    assert_eq!(read["auth.keys_file"]["result"], "kept", "{read}");
    client.sync().await;
    keys.write(&[entry(WIDE, "symbols = [\"*\"]\nadmin = true")]);
    assert_eq!(reload().await, json!({"auth.keys_file": {"result": "reloaded"}}));
    assert_eq!(client.read_to_end().await.1.unwrap().0, 4403);
}

#[actix_web::test]
async fn of_several_files_the_good_ones_are_read_again_and_each_bad_one_is_named_with_its_mistake() {
    let (keys, certificate) = (KeyRing::new(&two_keys()), Pair::new("reload"));
    let (set, revoked) = (Scratch::new(set_of(&[&RSA])), Scratch::new("revoked = []"));
    let (server, _clock) = spawn_app_at_rest(|settings| {
        issuer::require(settings, &set);
        keys.require(settings);
        settings.auth.revoked_file = revoked.path();
        certificate.configure(settings);
        with_operators(settings);
    });
    let admin = server.admin.unwrap();
    let header = header_of(WIDE);
    let reload = async || request(admin, Method::POST, "/admin/reload", &[("Authorization", &header)]).await.json();
    let ask = async |signer: &Signer| {
        let token = bearer(&signer.token_with(&json!({}), &json!({})));
        request(server.address, Method::GET, "/api/v1/symbols", &[("Authorization", &token)]).await.status
    };
    let good = json!({"result": "reloaded"});
    let names = ["auth.keys_file", "auth.revoked_file", "auth.jwt.jwks_file", "server.tls.cert"];
    let all: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), good.clone())).collect();
    assert_eq!(reload().await, Value::Object(all));
    assert_eq!((ask(&RSA).await, ask(&EC).await), (200, 401));

    set.write(set_of(&[&EC]));
    revoked.write("[[revoked]]\n");
    std::fs::write(certificate.cert(), "no certificate").unwrap();
    keys.write(&[entry(WIDE, "symbols = [\"*\"]\nadmin = true")]);
    let read = reload().await;
    assert_eq!((&read["auth.keys_file"], &read["auth.jwt.jwks_file"]), (&good, &good), "{read}");
    for (name, path, mistake) in [
        ("auth.revoked_file", revoked.path(), "entry 1 must have jti"),
        ("server.tls.cert", certificate.cert(), "contains no certificate in PEM"),
    ] {
        let reason = read[name]["reason"].as_str().unwrap_or_default();
        assert_eq!(read[name]["result"], "kept", "{read}");
        assert!(reason.contains(name) && reason.contains(&path) && reason.contains(mistake), "{read}");
    }
    assert_eq!((ask(&RSA).await, ask(&EC).await), (401, 200), "the good files hold");
    assert_eq!(get_as(server.address, NARROW, "/api/v1/symbols").await.status, 401);
}
