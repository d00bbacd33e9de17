//! Checks the type of each setting against that of its default: `workers = true` is not a number.
//!
//! The `config` crate converts between types (`true` to 1, 8080.7 to 8081, `"on"` to 1), so that a typing mistake would
//! start a server with unintended settings. Each section checks the ranges.

use config::{Value, ValueKind};

use crate::app::SettingsError;
use crate::app::settings_error::shortened;

/// Longest part of a bad value that is quoted, in characters.
const VALUE_CHARS_MAX: usize = 64;

/// Checks that every value of `settings` has the type of its default. Keys without a default are unknown, and left to
/// the deserializer.
///
/// # Errors
///
/// Returns the first key whose value has another type.
pub(super) fn check_kinds(defaults: &Value, settings: &Value) -> Result<(), SettingsError> {
    check("", defaults, settings)
}

fn check(key: &str, default: &Value, value: &Value) -> Result<(), SettingsError> {
    let kind = match (&default.kind, &value.kind) {
        (ValueKind::Table(defaults), ValueKind::Table(values)) => {
            // Sorted by name, so that the same mistakes give the same message at every start.
            let mut names: Vec<_> = defaults.keys().filter(|name| values.contains_key(*name)).collect();
            names.sort();
            return names.into_iter().try_for_each(|name| {
                let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                check(&path, &defaults[name], &values[name])
            });
        }
        (ValueKind::Table(_), _) => Some("a section"),
        (ValueKind::Boolean(_), _) if !is_boolean(value) => Some("true or false"),
        (ValueKind::I64(_), _) if !is_integer(value) => Some("an integer"),
        (ValueKind::Float(_), _) if !is_number(value) => Some("a number"),
        // A word or a boolean.
        (ValueKind::String(_), ValueKind::Boolean(_)) if key == "keys.any" => None,
        (ValueKind::String(_), kind) if !matches!(kind, ValueKind::String(_)) => Some("a string"),
        _ => None,
    };
    let Some(kind) = kind else { return Ok(()) };
    let origin = value.origin().map_or(String::new(), |origin| format!(" ({origin})"));
    Err(SettingsError::Kind {
        key: key.into(),
        kind,
        value: format!("{:?}{origin}", shortened(&value.to_string(), VALUE_CHARS_MAX)),
    })
}

/// Values from the environment are always strings.
fn is_boolean(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Boolean(_) => true,
        ValueKind::String(text) => matches!(text.to_ascii_lowercase().as_str(), "true" | "false"),
        _ => false,
    }
}

fn is_integer(value: &Value) -> bool {
    match &value.kind {
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => true,
        ValueKind::String(text) => text.parse::<i128>().is_ok(),
        _ => false,
    }
}

fn is_number(value: &Value) -> bool {
    match &value.kind {
        ValueKind::Float(_) => true,
        ValueKind::String(text) => text.parse::<f64>().is_ok(),
        _ => is_integer(value),
    }
}
