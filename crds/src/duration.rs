//! Durations as the Gateway API spells them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time such as `30s`, `1h30m` or `500ms` (Gateway API's GEP-2257: one to four groups of at most
/// five digits and a unit of `h`, `m`, `s` or `ms`). Its spelling is kept, so that reading and writing is lossless.
#[derive(Clone, PartialEq, Eq)]
pub struct Duration {
    text: String,
    value: StdDuration,
}

/// The text is not a duration.
#[derive(Debug, PartialEq, Eq)]
pub struct NotADuration;

impl Duration {
    pub(crate) const PATTERN: &'static str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

    /// The length itself.
    #[must_use]
    pub const fn get(&self) -> StdDuration {
        self.value
    }

    /// The length as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the length is nothing at all.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.value.is_zero()
    }
}

impl FromStr for Duration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let mut rest = text;
        let mut value = StdDuration::ZERO;
        for _ in 0..4 {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=5).contains(&digits) {
                return Err(NotADuration);
            }
            let (number, tail) = rest.split_at(digits);
            let number: u32 = number.parse().map_err(|_| NotADuration)?;
            let (unit, tail) = unit(tail).ok_or(NotADuration)?;
            value += unit * number;
            rest = tail;
            if rest.is_empty() {
                return Ok(Self { text: text.to_owned(), value });
            }
        }
        Err(NotADuration)
    }
}

fn unit(text: &str) -> Option<(StdDuration, &str)> {
    let units = [("ms", StdDuration::from_millis(1)), ("h", HOUR), ("m", MINUTE), ("s", StdDuration::from_secs(1))];
    units.iter().find_map(|(name, length)| Some((*length, text.strip_prefix(name)?)))
}

const MINUTE: StdDuration = StdDuration::from_secs(60);
const HOUR: StdDuration = StdDuration::from_secs(3600);

impl fmt::Display for NotADuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a duration such as 30s, 1h30m or 500ms (units h, m, s, ms)")
    }
}

impl std::error::Error for NotADuration {}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Duration({})", self.text)
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 2, "maxLength": 28, "pattern": Self::PATTERN})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_counts_and_groups_add_up() {
        for (text, milliseconds) in [("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("1h", 3_600_000), ("0s", 0)] {
            let parsed: Duration = text.parse().expect("must be a duration");
            assert_eq!(parsed.get().as_millis(), milliseconds, "{text}");
            assert_eq!(parsed.to_string(), text);
        }
        let four: Duration = "1h2m3s4ms".parse().expect("must be a duration");
        assert_eq!(four.get().as_millis(), 3_723_004);
    }

    #[test]
    fn what_gateway_api_does_not_allow_is_refused() {
        for text in ["", "1", "s", "1d", "1.5s", "-1s", " 1s", "100000s", "1s1s1s1s1s", "1S"] {
            assert_eq!(text.parse::<Duration>(), Err(NotADuration), "{text:?}");
        }
    }

    #[test]
    fn the_spelling_survives_reading_and_writing() {
        let read: Duration = serde_json::from_str("\"90s\"").expect("must be a duration");
        assert_eq!(serde_json::to_string(&read).expect("must serialise"), "\"90s\"");
    }
}
