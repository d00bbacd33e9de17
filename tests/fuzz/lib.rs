//! The fuzz targets as a library, which the binaries of `cargo fuzz` share.

#[path = "targets/mod.rs"]
mod targets;

/// Runs the target with this name once.
///
/// # Panics
///
/// Panics if the target finds something, or if there is none with this name.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::ALL.iter().find(|target| target.name == name).expect("there is such a target");
    (target.run)(data);
}
