//! Penstock's `config`.
