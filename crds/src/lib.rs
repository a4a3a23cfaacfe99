//! Penstock's `crds`.
