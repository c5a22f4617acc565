//! The first page: server, ensemble, expiries.
//!
//! # Invariants
//!
//! * What is not known is not shown, instead of being shown as zero.

use super::html::{Cell, facts, heading, note, table};
use crate::admin::facts::MemberFacts;
use crate::admin::status::ServerStatus;
use crate::config::quorum::Role;
use crate::metrics::Gauges;
use crate::types::java::java_double;
use crate::types::version::FULL_VERSION;
use crate::types::{ServerId, Zxid};

/// How far a learner of this leader is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follows {
    /// Who.
    pub server: ServerId,
    /// The last transaction that it has acknowledged.
    pub acked: Zxid,
}

/// Something that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// What.
    pub what: String,
    /// When, milliseconds from now.
    pub left_ms: i64,
}

/// Everything on the page.
#[derive(Debug)]
pub struct Overview {
    /// Is anybody served?
    pub serving: bool,
    /// The server.
    pub server: ServerStatus,
    /// Its gauges.
    pub gauges: Gauges,
    /// The member of an ensemble.
    pub member: Option<MemberFacts>,
    /// Learners of this leader that serve.
    pub followers: Vec<Follows>,
    /// What ends.
    pub expiries: Vec<Expiry>,
}

impl Overview {
    /// The page's body.
    pub fn html(&self) -> String {
        let mut body = self.of_server();
        if let Some(member) = &self.member {
            body.push_str(&heading("Ensemble"));
            body.push_str(&self.of_ensemble(member));
        }
        body.push_str(&heading("Expiries"));
        let rows: Vec<Vec<Cell>> =
            self.expiries.iter().map(|e| vec![Cell::text(&*e.what), Cell::Left(e.left_ms)]).collect();
        body.push_str(&table(&["What", "Expires"], &rows));
        body
    }

    fn of_server(&self) -> String {
        let (server, gauges) = (&self.server, &self.gauges);
        let latency = format!(
            "{} / {} / {} ms",
            server.min_latency,
            java_double(server.avg_latency),
            server.max_latency
        );
        let uptime = gauges.uptime / 1000;
        facts(&[
            ("Serves", Cell::State(self.serving, if self.serving { "yes" } else { "no" }.to_owned())),
            ("Role", Cell::text(server.mode.as_str())),
            ("Version", Cell::text(FULL_VERSION)),
            ("Last transaction", Cell::text(server.zxid.to_string())),
            (
                "Up for",
                Cell::text(format!(
                    "{} d {} h {} min",
                    uptime / 86_400,
                    uptime / 3600 % 24,
                    uptime / 60 % 60
                )),
            ),
            ("Connections", Cell::text(server.connections.to_string())),
            ("Requests under way", Cell::text(server.outstanding.to_string())),
            ("Latency min / avg / max", Cell::text(latency)),
            ("Packets received / sent", Cell::text(format!("{} / {}", server.received, server.sent))),
            ("Znodes", Cell::text(format!("{} ({} ephemeral)", server.node_count, gauges.ephemerals_count))),
            ("Data", Cell::text(format!("{} bytes", gauges.approximate_data_size))),
            ("Sessions", Cell::text(gauges.global_sessions.to_string())),
            ("Watches", Cell::text(gauges.watch_count.to_string())),
        ])
    }

    fn of_ensemble(&self, member: &MemberFacts) -> String {
        let ensemble = &member.ensemble;
        let rows = ensemble.members.iter().map(|(id, line)| {
            let server = ServerId(i64::try_from(*id).unwrap_or(i64::MAX));
            let addresses: Vec<String> = line
                .addresses
                .iter()
                .map(|a| format!("{}:{}:{}", a.host, a.quorum_port, a.election_port))
                .collect();
            vec![
                Cell::text(server.0.to_string()),
                Cell::text(if line.role == Role::Participant { "participant" } else { "observer" }),
                Cell::text(addresses.join(" | ")),
                self.state(member, server),
                Cell::text(self.lag(member, server, line.role)),
            ]
        });
        let rows: Vec<Vec<Cell>> = rows.collect();
        let mut html = table(&["Server", "Role", "Addresses", "State", "Lag"], &rows);
        let leader = member.leader.map_or_else(|| "nobody".to_owned(), |leader| leader.0.to_string());
        html.push_str(&note(&format!(
            "This is server {}; leader is {leader}; phase {}; configuration version {:x}. How far others are only \
             their leader knows.",
            member.me.0, member.phase, ensemble.version
        )));
        html
    }

    fn state(&self, member: &MemberFacts, server: ServerId) -> Cell {
        let follows = self.followers.iter().any(|f| f.server == server);
        match () {
            () if member.leader == Some(server) => Cell::State(true, "leads".to_owned()),
            () if server == member.me => Cell::State(self.serving, "this server".to_owned()),
            () if member.leads() => Cell::State(follows, if follows { "in step" } else { "away" }.to_owned()),
            () => Cell::text(""),
        }
    }

    fn lag(&self, member: &MemberFacts, server: ServerId, role: Role) -> String {
        let Some(follows) = self.followers.iter().find(|f| f.server == server && member.leads()) else {
            return String::new();
        };
        if role == Role::Observer {
            // Observers acknowledge nothing.
            return "not told".to_owned();
        }
        let behind = self.server.zxid.0.saturating_sub(follows.acked.0);
        match behind {
            // Acknowledged before this epoch's first transaction.
            _ if follows.acked.0 >> 32 != self.server.zxid.0 >> 32 => format!("at {}", follows.acked),
            ..=0 => "none".to_owned(),
            n => format!("{n} transactions"),
        }
    }
}
