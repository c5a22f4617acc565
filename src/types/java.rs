//! Texts as Java prints them: doubles, addresses, dates.
//!
//! Scripts compare these texts, so they are rebuilt here to the byte.
//!
//! # Invariants
//!
//! * Every function is pure and total: any value has a text.
//! * No time zone data below the sans-IO line: dates are in UTC.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// `Double.toString`: the shortest digits that read back as the same number,
/// plain from 1.0E-3 up to (not including) 1.0E7 and in scientific form
/// outside, always with one digit after the point.
pub fn java_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let mut text = value.to_string();
        if !text.contains('.') {
            text.push_str(".0");
        }
        return text;
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// The mean of `sum` over `count` as `AvgMinMaxCounter.getAvg` gives it: the
/// quotient as a double, rounded half up at four decimals; 0 when nothing was
/// counted.
pub fn java_average(sum: i64, count: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    round_half_up_4(sum as f64 / count as f64)
}

/// `BigDecimal.setScale(4, HALF_UP)` of the exact value of `value`.
fn round_half_up_4(value: f64) -> f64 {
    if !value.is_finite() || value.abs() >= 1e15 {
        return value; // no fraction of four decimals left to round
    }
    // 60 digits hold every bit that can decide the fifth decimal exactly.
    let exact = format!("{:.60}", value.abs());
    let Some((whole, fraction)) = exact.split_once('.') else {
        return value;
    };
    let (kept, rest) = fraction.split_at(4);
    let scaled: u64 = format!("{whole}{kept}").parse().unwrap_or(0);
    let up = u64::from(rest.as_bytes().first().is_some_and(|d| *d >= b'5'));
    let rounded = scaled + up;
    let text = format!("{}.{:04}", rounded / 10_000, rounded % 10_000);
    text.parse::<f64>().unwrap_or(value).copysign(value)
}

/// `InetSocketAddress.toString` of a resolved address without a host name:
/// `/127.0.0.1:2181`, `/[0:0:0:0:0:0:0:1]:2181` (Java 14 and later). An IPv4
/// address mapped into IPv6 is printed as IPv4, as Java sees it.
pub fn java_socket_address(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => format!("/{ip}:{}", address.port()),
        ip => format!("/[{}]:{}", java_ip(ip), address.port()),
    }
}

/// `InetAddress.getHostAddress`: IPv6 as eight groups without compression.
pub fn java_ip(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let mut text = String::with_capacity(39);
            for (i, group) in ip.segments().iter().enumerate() {
                let colon = if i == 0 { "" } else { ":" };
                let _ = write!(text, "{colon}{group:x}");
            }
            text
        }
    }
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Date.toString` in UTC: `Fri Nov 20 08:14:32 UTC 2026`. `millis` are
/// milliseconds since 1970.
pub fn java_date(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    let name = |table: &[&'static str], i: i64| {
        usize::try_from(i).ok().and_then(|i| table.get(i).copied()).unwrap_or("?")
    };
    format!(
        "{} {} {date:02} {:02}:{:02}:{:02} UTC {year}",
        name(&DAYS, day.rem_euclid(7)),
        name(&MONTHS, month - 1),
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// ISO 8601 as logback's `%d{ISO8601}` prints it, in UTC:
/// `2026-11-20 08:14:32,123`.
pub fn java_iso8601(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    format!(
        "{year:04}-{month:02}-{date:02} {:02}:{:02}:{:02},{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        millis.rem_euclid(1000)
    )
}

/// Days since 1970 as (year, month 1..12, day 1..31) of the Gregorian
/// calendar, counted in eras of 400 years that begin on the first of March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_in_java() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.859, "0.859"),
            (0.6346, "0.6346"),
            (12.0, "12.0"),
            (0.001, "0.001"),
            (9.999e-4, "9.999E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1.5e300, "1.5E300"),
            (-2.5, "-2.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }

    #[test]
    fn averages_round_half_up_at_four_decimals() {
        for (sum, count, text) in [
            (0, 0, "0.0"),
            (0, 7, "0.0"),
            (5, 1, "5.0"),
            (1, 3, "0.3333"),
            (2, 3, "0.6667"),
            (1, 32, "0.0313"), // 0.03125, exact in binary: half goes up
            (3, 32, "0.0938"), // 0.09375
            (1, 100_000, "0.0"),
            (5, 100_000, "1.0E-4"), // the double of 0.00005 lies above it
            (-1, 32, "-0.0313"),
            (99_999, 100_000, "1.0"),
            (i64::MAX, 1, "9.223372036854776E18"),
        ] {
            assert_eq!(java_double(java_average(sum, count)), text, "{sum}/{count}");
        }
    }

    #[test]
    fn addresses_print_as_in_java() {
        for (address, text) in [
            ("127.0.0.1:2181", "/127.0.0.1:2181"),
            ("[::1]:2181", "/[0:0:0:0:0:0:0:1]:2181"),
            ("[fe80::a:0:1]:9", "/[fe80:0:0:0:0:a:0:1]:9"),
            ("[::ffff:10.0.0.7]:80", "/10.0.0.7:80"),
        ] {
            let parsed: SocketAddr = address.parse().expect("an address");
            assert_eq!(java_socket_address(parsed), text);
        }
    }

    #[test]
    fn dates_print_as_in_java() {
        for (millis, text) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_162_472_000, "Fri Nov 20 08:14:32 UTC 2026"),
            (951_782_399_999, "Mon Feb 28 23:59:59 UTC 2000"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
            (4_107_542_400_000, "Mon Mar 01 00:00:00 UTC 2100"),
        ] {
            assert_eq!(java_date(millis), text);
        }
        assert_eq!(java_iso8601(1_795_162_472_007), "2026-11-20 08:14:32,007");
        assert_eq!(java_iso8601(-1), "1969-12-31 23:59:59,999");
    }
}
