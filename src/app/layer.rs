//! `Layer`: one file of settings, or the environment, as a source of the `config` crate.

use config::{ConfigError, Map, Source, Value};

/// The values of one file, or of the environment. The `config` crate would read the file itself, which fails for pipes, and whose errors do not name a
/// file that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        // The crate takes `"a[4000000000000]"` for a place in a list, and makes a list of that length.
        match self.0.keys().find(|key| key.contains('[')) {
            Some(key) => Err(ConfigError::Message(format!("unknown field `{key}`"))),
            None => Ok(self.0.clone()),
        }
    }
}
