//! Penstock's `llm`.
