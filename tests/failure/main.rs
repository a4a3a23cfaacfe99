//! What becomes of clients when providers fail: the wall, answers that others finish, and the soak.

mod continued;
#[path = "../e2e/figures.rs"]
mod figures;
mod memory;
mod soak;
mod wall;

/// They take turns: each looks at times, or at the memory that all of it takes.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
