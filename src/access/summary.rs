//! The summary of the keys for the log of a server that starts.

use crate::access::{Entitlement, Keys};

impl Keys {
    /// Returns who may come in, in words for the log; `None` if no credentials are checked.
    pub fn summary(&self) -> Option<String> {
        let guard = self.guard.as_ref()?;
        let (file, now) = (guard.current(), guard.clock.now());
        let count = |is: &dyn Fn(&Entitlement) -> bool| file.iter().filter(|key| is(key.entitlement())).count();
        Some(format!(
            "required={} keys={} admin_keys={} publish_keys={} expired_keys={} tokens={}",
            guard.is_required(),
            file.len(),
            count(&|rights| rights.admin),
            count(&|rights| rights.publish),
            count(&|rights| rights.expires_at.is_some_and(|end| end <= now)),
            guard.tokens.is_some(),
        ))
    }
}
