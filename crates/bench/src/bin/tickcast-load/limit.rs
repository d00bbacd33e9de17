//! The limits of this process: enough open files for every connection.

use rlimit::Resource;

/// Files that are open beside the connections.
const FILES_BESIDE: u64 = 64;

/// Raises the limit of open files to what so many connections need.
///
/// # Errors
///
/// Returns one line that says what the limit is and how to raise it.
pub(crate) fn raise_open_files(connections: usize) -> Result<(), String> {
    let needed = connections as u64 + FILES_BESIDE;
    let (soft, hard) = Resource::NOFILE.get().map_err(|err| format!("cannot read the limit of open files: {err}"))?;
    if needed <= soft {
        return Ok(());
    }
    Resource::NOFILE.set(needed, hard.max(needed)).map_err(|err| {
        format!(
            "{connections} connections need {needed} open files, the limit is {hard}: raise it with 'ulimit -n' ({err})"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_connections_need_nothing_and_too_many_are_refused_in_one_line() {
        assert_eq!(raise_open_files(1), Ok(()));
        let err = raise_open_files(usize::MAX / 2).unwrap_err();
        assert!(err.contains("open files") && !err.contains('\n'), "{err}");
    }
}
