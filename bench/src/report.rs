//! Lines of the report: a figure, and beside it what was promised.

/// Prints a figure that must stay under a limit, and says so loudly when it doesn't.
pub(crate) fn line(name: &str, value: f64, unit: &str, limit: f64) {
    let verdict = if value <= limit { "" } else { "  OVER THE LIMIT" };
    println!("{name:<45} {value:>8.2} {unit:<4} (limit {limit:.0} {unit}){verdict}");
}

/// Prints a figure that must not fall below a limit.
pub(crate) fn at_least(name: &str, value: f64, unit: &str, limit: f64) {
    let verdict = if value >= limit { "" } else { "  BELOW THE LIMIT" };
    println!("{name:<45} {value:>8.2} {unit:<4} (at least {limit:.0} {unit}){verdict}");
}
