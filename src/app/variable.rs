//! Finds settings whose environment variable has too few or too many underscores: `TICKCAST_AUTH_REQUIRED`.
//!
//! It would be no setting, and the server would start with the default: open to everybody.

use config::{Value, ValueKind};

use crate::app::SettingsError;

/// Checks the names of environment variables. A variable that Kubernetes makes for a service called `tickcast-server`
/// (`TICKCAST_SERVER_PORT=tcp://…`) is left alone.
///
/// # Errors
///
/// Returns the first variable that means a setting with a default, and does not have its name.
pub(super) fn check_names(
    defaults: &Value,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), SettingsError> {
    let settings = names(defaults);
    for (name, value) in variables.filter(|(_, value)| !value.is_empty()) {
        let Some(setting) = settings.iter().find(|setting| single(setting) == single(&name)) else { continue };
        if *setting != name && !(name.ends_with("_PORT") && value.contains("://")) {
            return Err(SettingsError::Variable { name, setting: setting.clone() });
        }
    }
    Ok(())
}

/// Returns the variable of every setting, `TICKCAST__SERVER__PORT`.
fn names(defaults: &Value) -> Vec<String> {
    fn add(prefix: &str, value: &Value, names: &mut Vec<String>) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (name, value) in table {
                    add(&format!("{prefix}__{}", name.to_ascii_uppercase()), value, names);
                }
            }
            _ => names.push(prefix.into()),
        }
    }
    let mut names = Vec::new();
    add("TICKCAST", defaults, &mut names);
    names
}

/// Returns a name with single underscores only.
fn single(name: &str) -> String {
    name.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}
