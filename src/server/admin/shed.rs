//! `shed_connections`: closes a share of the client connections, so that their clients go to other servers.
//!
//! # Invariants
//!
//! * Sessions live on; their clients reconnect. Never more than the share that was asked for is closed.

use std::io::Read as _;

use crate::admin::answers::finish;
use crate::admin::json::{self, Fields};
use crate::net::Kill;
use crate::net::http::{Asked, Reply, StatusCode};
use crate::os::entropy;
use crate::server::front::Front;

/// Closes what the body asks for; the reply and what the audit log says.
pub fn shed(mut asked: Asked, front: &Front) -> (Reply, String) {
    let mut body = String::new();
    let read = asked.body.read_to_string(&mut body);
    let percentage = read.ok().and_then(|_| percentage(&body));
    let Some(percentage) = percentage else {
        let why = "the body must be {\"percentage\": 0 to 100}";
        let fields = finish("shed_connections", Fields::new(), Some(why));
        return (Reply::json(StatusCode::BAD_REQUEST, json::print(&fields)), why.to_owned());
    };
    let mut closed = 0_usize;
    for registry in [&front.plain, &front.secure] {
        let all = registry.all();
        let count = all.len() * percentage / 100;
        // Any of them: those that came first are no worse than the others.
        let first = if all.is_empty() { 0 } else { (entropy::fraction() * all.len() as f64) as usize };
        for entry in all.iter().cycle().skip(first).take(count) {
            entry.waker().kill(Kill::Shed);
            closed += 1;
        }
    }
    let data = Fields::new().with("connections_shed", closed).with("percentage_requested", percentage);
    let fields = finish("shed_connections", data, None);
    (Reply::json(StatusCode::OK, json::print(&fields)), format!("{closed} connections, {percentage} percent"))
}

fn percentage(body: &str) -> Option<usize> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let number = body.get("percentage")?.as_u64().filter(|n| *n <= 100)?;
    usize::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_whole_numbers_up_to_a_hundred() {
        assert_eq!(percentage("{\"percentage\": 25}"), Some(25));
        assert_eq!(percentage("{\"percentage\": 0, \"x\": 1}"), Some(0));
        for body in
            ["", "25", "{}", "{\"percentage\": 101}", "{\"percentage\": -1}", "{\"percentage\": \"5\"}"]
        {
            assert_eq!(percentage(body), None, "{body}");
        }
    }
}
