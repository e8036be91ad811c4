//! Programs judged by tests.

pub(crate) mod sandbox;
