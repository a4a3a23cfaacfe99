use std::time::{Duration, SystemTime};

/// How long a provider wants to be left alone: `retry-after-ms` (or Azure's `x-ms-retry-after-ms`), or `Retry-After` as
/// seconds, also fractions, or as an HTTP date (RFC 9110, 10.2.3). A date that has passed is no wait at all.
pub fn wait(retry_after_ms: Option<&str>, retry_after: Option<&str>, now: SystemTime) -> Option<Duration> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let date = |text: &str| httpdate::parse_http_date(text.trim()).ok();
    retry_after_ms.and_then(number).and_then(|ms| seconds(ms / 1000.0)).or_else(|| {
        let text = retry_after?;
        number(text).and_then(seconds).or_else(|| Some(date(text)?.duration_since(now).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_understood_in_all_its_spellings() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("must be a date");
        let cases: [(Option<&str>, Option<&str>, Option<u64>); 12] = [
            (None, None, None),
            (None, Some("7"), Some(7000)),
            (None, Some(" 1.5 "), Some(1500)),
            (None, Some("0"), Some(0)),
            (Some("250"), Some("7"), Some(250)),
            (Some("soon"), Some("7"), Some(7000)),
            (None, Some("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10_000)),
            (None, Some("Sunday, 06-Nov-94 08:49:39 GMT"), Some(2000)),
            (None, Some("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0)),
            (None, Some("-3"), None),
            (None, Some("NaN"), None),
            (None, Some("tomorrow"), None),
        ];
        for (ms, after, expected) in cases {
            assert_eq!(wait(ms, after, now), expected.map(Duration::from_millis), "{ms:?} {after:?}");
        }
    }
}
