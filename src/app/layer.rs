//! `Layer`: one file of settings as a source of the `config` crate.

use config::{ConfigError, Map, Source, Value};

/// The values of one file. The `config` crate would read the file itself, which fails for pipes, and whose errors do not name a
/// file that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Layer(pub(super) Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}
