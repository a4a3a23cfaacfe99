//! Amounts of money, exact.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// US dollars as a decimal string: at most seven digits before the point and six after it. Its spelling is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Usd {
    text: String,
    micros: u64,
}

/// The text is not an amount of money.
#[derive(Debug, PartialEq, Eq)]
pub struct NotMoney;

impl Usd {
    pub(crate) const PATTERN: &'static str = r"^[0-9]{1,7}(\.[0-9]{1,6})?$";

    /// The amount in millionths of a dollar. For a price per million tokens this is also the price of one token in
    /// picodollars.
    #[must_use]
    pub const fn micros(&self) -> u64 {
        self.micros
    }

    /// The amount in picodollars (10^-12 dollars). The largest amount fits.
    #[must_use]
    pub const fn picos(&self) -> u64 {
        self.micros * 1_000_000
    }

    /// The amount as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Usd {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if (1..=6).contains(&fraction.len()) => (whole, fraction),
            Some(_) => return Err(NotMoney),
            None => (text, ""),
        };
        if !(1..=7).contains(&whole.len()) || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
            return Err(NotMoney);
        }
        let micros = format!("{whole}{fraction:0<6}").parse().map_err(|_| NotMoney)?;
        Ok(Self { text: text.to_owned(), micros })
    }
}

impl fmt::Display for NotMoney {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be US dollars as a decimal string such as \"0.05\", with at most six digits after the point")
    }
}

impl std::error::Error for NotMoney {}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Usd({})", self.text)
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Usd {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 14, "pattern": Self::PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, micros) in [("0.15", 150_000), ("500.00", 500_000_000), ("0.000001", 1), ("7", 7_000_000), ("0", 0)]
        {
            let parsed: Usd = text.parse().expect("must be money");
            assert_eq!(parsed.micros(), micros, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn the_largest_amount_fits_in_picodollars() {
        let most: Usd = "9999999.999999".parse().expect("must be money");
        assert_eq!(most.picos(), 9_999_999_999_999_000_000);
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "1,5", "12345678", "0.1234567", "$1", " 1"] {
            assert_eq!(text.parse::<Usd>(), Err(NotMoney), "{text:?}");
        }
    }
}
