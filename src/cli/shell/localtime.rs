//! Dates in the user's time zone, as `Date.toString` prints them.
//!
//! # Invariants
//!
//! * Without a readable time zone dates are in UTC, and say so.

use crate::types::java::java_date;
use tz::{TimeZone, UtcDateTime};

/// `Fri Nov 20 08:14:32 CET 2026` for milliseconds since 1970.
pub fn date(millis: i64) -> String {
    TimeZone::local().ok().and_then(|zone| in_zone(millis, &zone)).unwrap_or_else(|| java_date(millis))
}

fn in_zone(millis: i64, zone: &TimeZone) -> Option<String> {
    let seconds = millis.div_euclid(1000);
    UtcDateTime::from_timespec(seconds, 0).ok()?;
    let kind = zone.find_local_time_type(seconds).ok()?;
    let shifted = seconds.checked_add(i64::from(kind.ut_offset()))?.checked_mul(1000)?;
    let name = match kind.time_zone_designation() {
        "" => "UTC",
        name => name,
    };
    Some(java_date(shifted).replacen(" UTC ", &format!(" {name} "), 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_zone_and_its_summer_time() {
        let zone = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(in_zone(1_795_162_472_000, &zone).as_deref(), Some("Fri Nov 20 09:14:32 CET 2026"));
        assert_eq!(in_zone(1_784_563_200_000, &zone).as_deref(), Some("Mon Jul 20 18:00:00 CEST 2026"));
        assert_eq!(in_zone(0, &TimeZone::utc()).as_deref(), Some("Thu Jan 01 00:00:00 UTC 1970"));
        assert!(date(i64::MAX).contains("UTC"), "a date that no calendar has is still a text");
    }
}
