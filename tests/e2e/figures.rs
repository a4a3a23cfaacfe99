//! What a test measured, for people to read.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a line although the test passes: the test harness keeps back what `println!` and `eprintln!` print.
pub(crate) fn print(figures: impl Display) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stderr(), "{figures}")?)
}
