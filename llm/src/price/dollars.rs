//! Amounts of money, as people read them.

use std::fmt;

/// In a dollar.
const PICODOLLARS: u64 = 1_000_000_000_000;

/// Picodollars, written in US dollars: a decimal without an exponent, with as many digits as it takes to be exact.
#[derive(Clone, Copy, Debug)]
pub struct Dollars(pub u64);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, mut fraction, mut digits) = (self.0 / PICODOLLARS, self.0 % PICODOLLARS, 12);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        write!(f, "{whole}.{fraction:0digits$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_and_have_no_exponent() {
        for (picos, expected) in [
            (0, "0"),
            (1, "0.000000000001"),
            (7_500_000, "0.0000075"),
            (50_000_000_000, "0.05"),
            (PICODOLLARS, "1"),
            (10 * PICODOLLARS + 10, "10.00000000001"),
            (u64::MAX, "18446744.073709551615"),
        ] {
            assert_eq!(Dollars(picos).to_string(), expected);
        }
    }
}
