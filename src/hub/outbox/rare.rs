//! `Rare`: a part of an outbox that most sessions never have. It costs a pointer until it is first changed.

use std::ops::{Deref, DerefMut};

/// A value with an empty state.
pub(super) trait Empty: Default + 'static {
    /// The empty value.
    const EMPTY: &'static Self;
}

/// A value that is boxed when it is first changed, and empty before.
#[derive(Debug)]
pub(super) struct Rare<T>(Option<Box<T>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}
