//! Lists of texts in the settings.

use serde::{Deserialize, Deserializer};

/// Reads a list, or one comma-separated text from the environment.
///
/// # Errors
///
/// Returns an error if the setting is neither.
pub fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        List(Vec<String>),
        Line(String),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::List(texts) => texts,
        Texts::Line(line) => {
            line.split(',').map(|text| text.trim().into()).filter(|text: &String| !text.is_empty()).collect()
        }
    })
}
