//! The rows of `security/cves.md`.
//!
//! # Invariants
//! * A row says what Oxkeeper does, never how anything was attacked.

/// One known hole.
pub struct Row {
    /// Under what it was published.
    pub name: &'static str,
    /// How Oxkeeper behaves, in one sentence.
    pub does: &'static str,
    /// Tests, as `file.rs:function`.
    pub tests: &'static [&'static str],
}

const fn row(name: &'static str, does: &'static str, tests: &'static [&'static str]) -> Row {
    Row { name, does, tests }
}

/// All rows: ZooKeeper's published ones, its fixes without a number, its peers'.
pub const ROWS: &[Row] = &[
    row(
        "CVE-2014-0085",
        "No secret of the configuration or of a client reaches the log, at any level, or an answer.",
        &[
            "tests/cves/served.rs:no_secret_is_logged_or_told",
            "src/auth/tests.rs:nothing_secret_is_printed",
            "src/config/secret.rs:a_secret_is_never_printed",
        ],
    ),
    row(
        "CVE-2016-5017",
        "The command line takes arguments of any length, and ends with an error where one is of no use.",
        &["tests/cves/served.rs:an_enormous_argument_is_an_error_and_no_crash"],
    ),
    row(
        "CVE-2017-5637",
        "Four-letter words are refused unless the whitelist names them; expensive ones are bounded in number, rate and size.",
        &[
            "src/admin/golden/mod.rs:words_outside_the_whitelist_are_refused_in_words",
            "src/admin/golden/mod.rs:expensive_words_are_refused_when_asked_too_often_and_cheap_ones_never",
        ],
    ),
    row(
        "CVE-2018-8012",
        "A server that wants to join proves who it is before anything else that it says is read; a failed attempt is closed.",
        &[
            "src/kerberos/quorum/tests.rs:who_does_not_try_comes_in_only_where_it_may",
            "src/kerberos/quorum/tests.rs:a_failed_attempt_is_closed_even_where_none_is_required",
            "tests/cves/served.rs:no_port_is_open_but_those_that_are_asked_for",
            "tests/intruders/main.rs:ten_intruders_are_refused_at_both_ports_and_members_come_in_beside_them",
        ],
    ),
    row(
        "CVE-2019-0201",
        "getACL needs READ or ADMIN, and shows digest hashes to those with ADMIN alone.",
        &[
            "tests/acl/main.rs:a_million_decisions_equal_the_models",
            "tests/acl/live.rs:java_decides_as_the_model_does",
            "src/replica/tests/writes.rs:acl_masking_and_any_of",
        ],
    ),
    row(
        "CVE-2023-44981",
        "Another server is known by its whole principal: service, host and realm.",
        &[
            "src/kerberos/quorum/members.rs:the_whole_principal_counts",
            "src/kerberos/quorum/members.rs:a_list_is_exact",
            "tests/intruders/main.rs:ten_intruders_are_refused_at_both_ports_and_members_come_in_beside_them",
        ],
    ),
    row(
        "CVE-2024-23944",
        "Every watch event is checked against the znode's ACL when it is delivered, with the rights of that moment.",
        &[
            "tests/acl/main.rs:a_million_decisions_equal_the_models",
            "src/replica/tests/order.rs:events_are_withheld_from_who_may_not_read",
        ],
    ),
    row(
        "CVE-2024-51504",
        "A client's address is that of its socket; nothing that it sends changes it.",
        &[
            "tests/forged/main.rs:forged_identities_are_refused_each_for_its_reason",
            "tests/admin/bad.rs:forwarding_headers_make_nobody_an_administrator",
        ],
    ),
    row(
        "CVE-2025-58457",
        "\"One of these rights\" and \"each of these rights\" are two functions; a demand for all fails when any is missing.",
        &[
            "tests/cves/behaviour.rs:a_demand_for_all_rights_fails_when_one_is_missing",
            "src/auth/acl.rs:any_of_and_all_of_differ",
            "tests/admin/snapshots.rs:both_are_refused_without_rights_and_limited_and_switched_off",
        ],
    ),
    row(
        "CVE-2026-24281",
        "Certificates are checked against configured names and addresses; no address is ever turned into a name for it.",
        &[
            "tests/cves/behaviour.rs:no_decision_asks_for_the_name_of_an_address",
            "src/tls/hosts.rs:names_of_the_list_and_the_own_address_are_for_this_host",
        ],
    ),
    row(
        "CVE-2026-24308",
        "Values of settings are not logged: neither those of known secrets nor those of keys that nobody knows.",
        &["tests/cves/served.rs:no_secret_is_logged_or_told"],
    ),
    row(
        "ZOOKEEPER-4958",
        "The check of a client's host holds whatever else is configured about certificates.",
        &["src/tls/tests.rs:the_host_of_a_client_is_checked_where_that_is_on"],
    ),
    row(
        "ZOOKEEPER-5058",
        "What a peer sends is escaped in log lines: one event is one line.",
        &[
            "tests/cves/served.rs:what_a_peer_sends_stays_one_line",
            "src/audit/layout_tests.rs:a_name_cannot_forge_a_field_or_a_line",
        ],
    ),
    row(
        "ZOOKEEPER-4689",
        "After any snapshot and replay every znode has the ACL that it had; ids of lists are not used again.",
        &[
            "src/tree/model_tests.rs:a_fuzzy_snapshot_and_its_log_give_the_tree_without_the_crash",
            "src/tree/acl.rs:ids_count_up_and_are_not_used_again",
            "src/tree/load.rs:an_acl_id_that_the_table_lacks_allows_nothing_until_the_log_sets_it",
        ],
    ),
    row(
        "ZOOKEEPER-5059",
        "Logins run on a fixed number of threads; none is left behind.",
        &[
            "tests/cves/served.rs:logins_leave_no_threads_behind",
            "src/kerberos/pool.rs:jobs_run_until_the_queue_is_full",
        ],
    ),
    row(
        "Admin commands without identity",
        "Settings, environment and connections are told to this machine, or to an identity with the role for it; four-letter words tell what the whitelist names.",
        &[
            "src/admin/word.rs:the_whitelist_always_has_srvr_and_isro_in_read_only_mode",
            "tests/admin/identity.rs:on_other_addresses_nothing_is_told_without_identity",
            "tests/admin/identity.rs:kerberos_opens_what_the_role_allows_and_nothing_more",
        ],
    ),
    row(
        "etcd CVE-2026-33413",
        "Every op code names its rule, or the server does not compile; every rule is held against a model.",
        &[
            "tests/acl/main.rs:a_million_decisions_equal_the_models",
            "tests/acl/main.rs:ops_of_the_server_itself_are_refused_to_everybody",
        ],
    ),
    row(
        "etcd CVE-2026-33343",
        "Each part of a multi is checked as if it stood alone; a multi in a multi is refused.",
        &[
            "tests/cves/behaviour.rs:a_multi_in_a_multi_is_refused",
            "tests/acl/main.rs:a_million_decisions_equal_the_models",
        ],
    ),
    row(
        "etcd CVE-2026-73499",
        "A recursive watch on /a hears of /a and of what lies below it, never of /ab.",
        &["tests/cves/behaviour.rs:a_watch_on_a_subtree_ends_at_its_name"],
    ),
    row(
        "etcd CVE-2018-16886",
        "A certificate is an identity only of the connection on which it was proven.",
        &[
            "src/auth/tests.rs:a_certificate_is_proven_by_the_connection_alone",
            "tests/forged/main.rs:forged_identities_are_refused_each_for_its_reason",
        ],
    ),
    row(
        "etcd CVE-2023-32082",
        "getEphemerals tells a session's own znodes, counting children needs READ.",
        &["tests/acl/main.rs:a_million_decisions_equal_the_models"],
    ),
    row(
        "etcd CVE-2021-28235",
        "There is no debug endpoint: ports are opened in one place of the sources, for the configured listeners.",
        &["tests/cves/behaviour.rs:ports_are_opened_in_one_place"],
    ),
    row(
        "etcd CVE-2020-15106, -15112 to -15115, -15136",
        "Damaged logs and snapshots are refused by name and place; no input ends the server by panic.",
        &[
            "tests/crash/sweep.rs:a_changed_byte_is_found_or_changes_nothing",
            "tests/fuzz/main.rs:every_target_survives_damaged_inputs",
        ],
    ),
    row(
        "Consul CVE-2021-37219",
        "Between servers a certificate must be for a host of the ensemble or a listed name; one of the same authority is not enough.",
        &[
            "src/tls/tests.rs:servers_are_bound_to_the_hosts_of_the_ensemble",
            "tests/intruders/main.rs:ten_intruders_are_refused_at_both_ports_and_members_come_in_beside_them",
        ],
    ),
    row(
        "Consul CVE-2021-38698",
        "Operations in a transaction need the rights that they need alone.",
        &[
            "tests/acl/main.rs:a_million_decisions_equal_the_models",
            "tests/acl/live.rs:java_decides_as_the_model_does",
        ],
    ),
    row(
        "Consul CVE-2020-7219",
        "Before a login, connections are bounded in number, bytes and time.",
        &[
            "tests/login/strangers.rs:places_time_and_bytes_of_strangers_are_bounded",
            "tests/process/clients.rs:a_connection_without_a_session_is_closed_after_its_time",
        ],
    ),
    row(
        "Consul CVE-2022-40716",
        "A certificate is one identity, its whole subject; alternative names add none.",
        &[
            "tests/forged/main.rs:forged_identities_are_refused_each_for_its_reason",
            "src/tls/name.rs:different_values_have_different_texts",
        ],
    ),
    row(
        "ClickHouse Keeper, pull request 120265",
        "A list with world:anyone among others keeps every entry; four-letter words change no state but counters.",
        &[
            "tests/cves/behaviour.rs:a_mixed_list_comes_back_whole",
            "tests/acl/live.rs:java_decides_as_the_model_does",
        ],
    ),
];
