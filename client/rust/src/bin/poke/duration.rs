//! Durations as people write them.

use std::time::Duration;

use jiff::SignedDuration;

/// `10s`, `500ms`, `1m30s`, `1h`; a bare number is in seconds.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let parsed = match seconds {
        Some(duration) => Some(duration),
        None => text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok()),
    };
    match parsed {
        Some(duration) if duration.is_zero() => Err("it must be longer than nothing".to_owned()),
        Some(duration) if duration > LONGEST => Err("at most 365 days".to_owned()),
        Some(duration) => Ok(duration),
        None => Err("a duration looks like 10s, 500ms, 1m30s or 2h".to_owned()),
    }
}

/// In milliseconds, to a microsecond: as JSON, without digits that say nothing.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// Longer ones overflow clocks.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_units_or_seconds() {
        for (text, millis) in [
            ("10s", 10_000),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("5", 5_000),
            ("0.5", 500),
            ("2 min", 120_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn milliseconds_have_at_most_three_digits_behind_the_point() {
        let json = |nanos| serde_json::json!(millis(Duration::from_nanos(nanos))).to_string();
        assert_eq!(json(872_000), "0.872");
        assert_eq!(json(1_234_567_891), "1234.567");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "soon", "-5s", "-1", "0", "0s", "1e30", "NaN", "inf", "10 parsecs"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
