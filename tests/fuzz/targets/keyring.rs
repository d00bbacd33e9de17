//! The keys that the targets `credentials`, `ticket` and `token` know: of a key file, of a secret for tokens, and of an issuer with three public
//! keys, whose private halves nobody has.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tickcast::access::{AuthConfig, JwtConfig, Keys, KeysConfig, LimitsConfig};
use tickcast::domain::{ManualClock, Timestamp};
use tickcast::metrics::SharedMetrics;

/// The time of the server.
const NOW: Timestamp = Timestamp::from_micros(1_772_463_845_123_456);
static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// The keys of a server.
pub(super) struct Keyring {
    pub(super) keys: Keys,
    pub(super) clock: Arc<ManualClock>,
}

impl Keyring {
    /// The id of the key in the file.
    pub(super) const ID: &'static str = "desk7";
    /// Its secret.
    pub(super) const SECRET: &'static str = "tcs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-RJn6K";
    /// The secret of tokens.
    pub(super) const HMAC: &'static [u8] = b"a secret of the fuzz target, 32 bytes or more";

    /// Returns the keys of a file with one, which is that of the server's own pages.
    pub(super) fn of_key_file() -> Self {
        let digest = "6be759505b19bf65b23ac0a54e8ed3eb8cfa5ad61401b4725b5ff23069452c2d";
        let text = format!("[[keys]]\nid = \"{}\"\nsecret_sha256 = \"{digest}\"\nsymbols = [\"*\"]\n", Self::ID);
        Self::with("keys.toml", text.as_bytes(), |keys_file| AuthConfig {
            keys_file,
            page_key: Self::ID.into(),
            ..AuthConfig::default()
        })
    }

    /// Returns the secret of tokens of HS256.
    pub(super) fn of_secret() -> Self {
        Self::with("secret", Self::HMAC, |hmac_secret_file| {
            jwt(JwtConfig { hmac_secret_file, algorithms: vec!["HS256".into()], ..JwtConfig::default() })
        })
    }

    /// Returns the public keys of an issuer.
    pub(super) fn of_issuer(set: &[u8]) -> Self {
        Self::with("keys.json", set, |jwks_file| jwt(JwtConfig { jwks_file, ..JwtConfig::default() }))
    }

    /// Reads keys from a file, which is removed afterwards.
    fn with(name: &str, content: &[u8], config: impl FnOnce(String) -> AuthConfig) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tickcast-fuzz-{}-{number}", std::process::id()));
        let clock = Arc::new(ManualClock::new(NOW));
        let keys = write(&folder, name, content).map(|path| {
            let auth = AuthConfig { required: true, cache_max: 0, ..config(path.display().to_string()) };
            let keys = Keys::new(&KeysConfig { pairs: Vec::new(), ..KeysConfig::default() }, false);
            keys.guarded(&auth, &LimitsConfig::default(), clock.clone(), SharedMetrics::default())
                .expect("the keys are good")
        });
        let _ = std::fs::remove_dir_all(&folder);
        Self { keys: keys.expect("the folder for temporary files can be written to"), clock }
    }
}

fn write(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    std::fs::write(&path, content)?;
    Ok(path)
}

fn jwt(jwt: JwtConfig) -> AuthConfig {
    AuthConfig { jwt, ..AuthConfig::default() }
}
