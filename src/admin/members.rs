//! Admin commands about the ensemble: leader, members with a vote, observers, phase.
//!
//! # Invariants
//!
//! * A standalone server answers as ZooKeeper's does: it has no leader, no view and no phase.

use super::facts::AdminSource;
use super::json::{Fields, Json};
use super::status::Mode;
use crate::config::quorum::{Member, Role};

/// Hosts of IPv6 stand in brackets.
fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn texts(texts: impl IntoIterator<Item = String>) -> Vec<Json> {
    texts.into_iter().map(Json::from).collect()
}

/// `leader`.
pub(super) fn leader(source: &dyn AdminSource, data: &mut Fields) {
    let Some(member) = source.member() else {
        return data.put("error", "server is not initialized");
    };
    let id = member.leader.map_or(-1, |leader| leader.0);
    let of_leader = u64::try_from(id).ok().and_then(|id| member.ensemble.members.get(&id));
    let host = of_leader.and_then(|m| m.addresses.first()).map(|a| a.host.clone());
    data.put("is_leader", member.leads());
    data.put("leader_id", id);
    data.put("leader_ip", host.unwrap_or_default());
}

/// `voting_view`.
pub(super) fn voting_view(source: &dyn AdminSource, data: &mut Fields) {
    let mut view = Fields::new();
    if let Some(member) = source.member() {
        for (id, voter) in member.ensemble.members.iter().filter(|(_, m)| m.role == Role::Participant) {
            view.push(id.to_string(), server(voter));
        }
    }
    data.put("current_config", view);
}

fn server(member: &Member) -> Fields {
    let quorum = member.addresses.iter().map(|a| host_port(&a.host, a.quorum_port));
    let election = member.addresses.iter().map(|a| host_port(&a.host, a.election_port));
    let client = member.client.as_ref().map(|c| host_port(&c.host, c.port));
    Fields::new()
        .with("server_addresses", texts(quorum))
        .with("election_addresses", texts(election))
        .with("client_address", client.unwrap_or_default())
        .with("learner_type", if member.role == Role::Participant { "participant" } else { "observer" })
}

/// `observers`.
pub(super) fn observers(source: &dyn AdminSource, data: &mut Fields) {
    let rows = source.observers();
    data.put("synced_observers", rows.len());
    let rows = rows.into_iter().map(|row| {
        let address = row.address.map(|a| format!("/{}", super::answers::host_and_port(a)));
        let fields = Fields::new()
            .with("remote_socket_address", address.unwrap_or_default())
            .with("sid", row.server.0)
            .with("established", row.established_ms)
            // What waits is sent as fast as the other end takes it; packets are not kept apart.
            .with("queued_packets", 0)
            .with("queued_packets_size", 0)
            .with("packets_received", row.received)
            .with("packets_sent", row.sent)
            .with("requests", row.received)
            .with("last_zxid", row.last_zxid.0);
        Json::from(fields)
    });
    data.put("observers", rows.collect::<Vec<_>>());
}

/// Several addresses of a server, as Java prints the object that holds them.
fn addresses(all: &[(String, u16)]) -> Fields {
    let shown = || texts(all.iter().map(|(host, port)| host_port(host, *port)));
    let wildcard = texts(all.iter().map(|(host, port)| {
        let any = if host.contains(':') { "::" } else { "0.0.0.0" };
        host_port(any, *port)
    }));
    let one = all.first().map_or(Json::Null, |(host, port)| Json::from(host_port(host, *port)));
    let ports = all.iter().map(|(_, port)| Json::from(i64::from(*port))).collect::<Vec<_>>();
    Fields::new()
        .with("empty", all.is_empty())
        .with("all_addresses", shown())
        .with("all_reachable_addresses", shown())
        .with("one", one.clone())
        .with("reachable_address", one.clone())
        .with("wildcard_addresses", wildcard)
        .with("all_ports", ports)
        .with("all_host_strings", texts(all.iter().map(|(host, _)| host.clone())))
        .with("all_reachable_addresses_or_all", shown())
        .with("reachable_or_one", one)
}

/// `zabstate`.
pub(super) fn zab_state(source: &dyn AdminSource, data: &mut Fields) {
    let Some(member) = source.member().filter(|_| source.serving()) else {
        data.put("voting", false);
        data.put("zabstate", "");
        return;
    };
    let mine = u64::try_from(member.me.0).ok().and_then(|me| member.ensemble.members.get(&me));
    let ports = |port: fn(&crate::config::quorum::MemberAddress) -> u16| -> Vec<(String, u16)> {
        mine.map(|m| m.addresses.iter().map(|a| (a.host.clone(), port(a))).collect()).unwrap_or_default()
    };
    let status = source.server();
    data.put("myid", member.me.0);
    data.put("is_leader", status.mode == Mode::Leader);
    data.put("quorum_address", addresses(&ports(|a| a.quorum_port)));
    data.put("election_address", addresses(&ports(|a| a.election_port)));
    data.put("client_address", member.client_address.map_or(Json::Null, Json::from));
    data.put("voting", mine.is_some_and(|m| m.role == Role::Participant));
    data.put("last_zxid", format!("0x{:x}", status.zxid.0));
    data.put("zab_epoch", status.zxid.0 >> 32);
    data.put("zab_counter", status.zxid.0 & 0xffff_ffff);
    data.put("zabstate", member.phase);
}
