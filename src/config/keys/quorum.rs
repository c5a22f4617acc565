//! Rows: members, election, synchronisation, observers, reconfiguration, SASL between servers.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

/// Why no file decides instead of a majority.
const ORACLE: &str = "a file in the place of a vote may let both of two servers lead, and what one of them acknowledged is \
    lost: add a third server";

table! {
    Area::Quorum => {
        "initLimit" "" from(0), "0" "ticks" WORKS, "Time for a server to connect to a leader and to synchronise. Required in an ensemble.";
        "syncLimit" "" from(0), "0" "ticks" WORKS, "How far an acknowledgement may lag behind. Required in an ensemble.";
        "connectToLearnerMasterLimit" "" from(0), "0" "ticks" WORKS, "Time to connect to a leader; 0 takes initLimit.";
        "electionAlg" "" int(3, 3), "3" "" WORKS, "Election algorithm; only 3 exists.";
        "quorumListenOnAllIPs" "" BOOL, "false" "" WORKS, "Bind quorum and election ports to all addresses.";
        "multiAddress.enabled" "zookeeper.multiAddress.enabled" BOOL, "false" "" WORKS, "A server line may list several addresses.";
        "multiAddress.reachabilityCheckTimeoutMs" "zookeeper.multiAddress.reachabilityCheckTimeoutMs" from(1), "1000" "ms" none("all addresses of a server are dialled at once"), "How long an address of a server is tried.";
        "multiAddress.reachabilityCheckEnabled" "zookeeper.multiAddress.reachabilityCheckEnabled" BOOL, "true" "" none("all addresses of a server are dialled at once"), "Try which address of a server answers.";
        "oraclePath" "" PATH, "" "" Status::Refused(ORACLE), "File of an oracle that decides for ensembles of two.";
        "server.<id>" "" Kind::Member, "" "" WORKS, "A member: host:quorumPort:electionPort[:role], several joined by |, then ;[host:]clientPort.";
        "server.<id> (secure client part)" "" Kind::Member, "" "" ENSEMBLE, "Third part of a server line, an address for TLS clients: a later ZooKeeper's, refused as by 3.9.";
        "group.<gid>" "" TEXT, "" "" WORKS, "Servers of a group of a hierarchical quorum, joined by colons.";
        "weight.<sid>" "" TEXT, "" "" WORKS, "Vote weight of a server in a hierarchical quorum, a number from 0; others weigh 1.";
        "commitLogCount" "zookeeper.commitLogCount" raised(500), "500" "proposals" WORKS, "Committed proposals kept in memory for servers that lag; at least 500.";
        "snapshotSizeFactor" "zookeeper.snapshotSizeFactor" Kind::Float(-1e9, 1.0), "0.33" "ratio" WORKS, "Log bytes sent to a lagging server instead of a snapshot, as a share of the snapshot; negative is never.";
        "fastleader.minNotificationInterval" "zookeeper.fastleader.minNotificationInterval" from(1), "200" "ms" WORKS, "First pause between election notifications.";
        "fastleader.maxNotificationInterval" "zookeeper.fastleader.maxNotificationInterval" from(1), "60000" "ms" WORKS, "Longest pause between election notifications.";
        "leader.maxTimeToWaitForEpoch" "zookeeper.leader.maxTimeToWaitForEpoch" ANY_INT, "-1" "ms" WORKS, "A leader that waits this long for a quorum gives up when one of its voters looks again; -1 takes initLimit alone.";
        "leader.maxConcurrentSnapSyncs" "zookeeper.leader.maxConcurrentSnapSyncs" from(1), "10" "learners" WORKS, "Snapshots sent to observers at a time.";
        "leader.maxConcurrentDiffSyncs" "zookeeper.leader.maxConcurrentDiffSyncs" from(1), "100" "learners" WORKS, "Differences sent to observers at a time.";
        "leader.closeSocketAsync" "zookeeper.leader.closeSocketAsync" BOOL, "false" "" none("closing a connection never holds a thread"), "Close connections to learners on another thread.";
        "learner.closeSocketAsync" "zookeeper.learner.closeSocketAsync" BOOL, "false" "" none("closing a connection never holds a thread"), "Close the connection to the leader on another thread.";
        "learner.asyncSending" "zookeeper.learner.asyncSending" BOOL, "false" "" none("sending never holds a thread"), "Send to the leader on another thread.";
        "leaderServes" "zookeeper.leaderServes" YES_NO, "yes" "" WORKS, "With `no` the leader takes no clients.";
        "linearizableSync" "zookeeper.linearizableSync" BOOL, "false" "" WORKS, "Oxkeeper's own: the leader answers a sync only after a quorum has confirmed, behind it, that it still leads. A read after it is linearizable; each sync costs an empty transaction.";
        "leaderConnectDelayDuringRetryMs" "zookeeper.leaderConnectDelayDuringRetryMs" from(0), "100" "ms" WORKS, "Pause between tries to connect to the leader.";
        "cnxTimeout" "zookeeper.cnxTimeout" from(1), "5000" "ms" WORKS, "Time to connect to an election port.";
        "quorumCnxnTimeoutMs" "zookeeper.quorumCnxnTimeoutMs" ANY_INT, "-1" "ms" WORKS, "Time for the handshake of an election connection; -1 takes syncLimit.";
        "tcpKeepAlive" "zookeeper.tcpKeepAlive" BOOL, "false" "" WORKS, "TCP keep-alive on election connections.";
        "electionPortBindRetry" "zookeeper.electionPortBindRetry" from(0), "3" "tries" WORKS, "Tries to bind the election port; 0 is without end.";
        "forward_learner_requests_to_commit_processor_disabled" "zookeeper.forward_learner_requests_to_commit_processor_disabled" BOOL, "false" "" none("requests of learners do not pass the leader's reads"), "Keep requests of learners out of a stage of Java's leader.";
        "" "leader.nodelay" BOOL, "true" "" WORKS, "TCP_NODELAY at the leader.";
        "" "follower.nodelay" BOOL, "true" "" WORKS, "TCP_NODELAY at learners.";
        "" "learner.asyncSending" BOOL, "false" "" none("sending never holds a thread"), "As the key of this name; the property with the zookeeper prefix wins.";
        "" "learner.closeSocketAsync" BOOL, "false" "" none("closing a connection never holds a thread"), "As the key of this name; the property with the zookeeper prefix wins.";
        "" "leader.closeSocketAsync" BOOL, "false" "" none("closing a connection never holds a thread"), "As the key of this name; the property with the zookeeper prefix wins.";
    }
    Area::Observers => {
        "peerType" "" word(&["participant", "observer"]), "participant" "" WORKS, "Role of this server; the role in its server line wins.";
        "observerMasterPort" "" int(i32::MIN as i64, 65_535), "0" "port" WORKS, "Port on which followers serve observers in the leader's place, the same at every server; 0 is off.";
        "syncEnabled" "zookeeper.observer.syncEnabled" BOOL, "true" "" none("an observer always writes what it learns: it need not learn it again"), "Observers write a log and snapshots.";
        "follower.skipLearnerRequestToNextProcessor" "zookeeper.follower.skipLearnerRequestToNextProcessor" BOOL, "false" "" none("requests of observers do not pass the follower's reads"), "Keep requests of observers out of a stage of Java's follower.";
        "observer.reconnectDelayMs" "zookeeper.observer.reconnectDelayMs" long(0), "0" "ms" WORKS, "Longest random pause of an observer before it connects; with observerMasterPort only when every follower was tried.";
        "observer.election.DelayMs" "zookeeper.observer.election.DelayMs" long(0), "200" "ms" WORKS, "Longest random pause of an observer before it looks for a leader again.";
        "observerMaster.sizeLimit" "zookeeper.observerMaster.sizeLimit" from(1), "33554432" "bytes" none("observers are brought up from the window of commitLogCount and from the log"), "Committed packets a follower keeps for its observers.";
    }
    Area::Reconfig => {
        "dynamicConfigFile" "" PATH, "" "" WORKS, "File with the server, group and weight lines, which then must not be in zoo.cfg.";
        "standaloneEnabled" "" BOOL, "true" "" WORKS, "A single member runs without a quorum; with false it is an ensemble of one.";
        "reconfigEnabled" "" BOOL, "false" "" WORKS, "Allow the reconfig command.";
        "version" "" TEXT, "" "zxid" WORKS, "Version of a dynamic configuration; stands in its file name or in the next one, not in zoo.cfg.";
    }
    Area::SaslQuorum => {
        "quorum.auth.enableSasl" "" BOOL, "false" "" WORKS, "Servers authenticate to each other by SASL.";
        "quorum.auth.serverRequireSasl" "" BOOL, "false" "" WORKS, "Servers take only authenticated connections of servers. Needs the two others.";
        "quorum.auth.learnerRequireSasl" "" BOOL, "false" "" WORKS, "Servers authenticate on connections they open. Needs quorum.auth.enableSasl.";
        "quorum.auth.learner.saslLoginContext" "" TEXT, "QuorumLearner" "" WORKS, "JAAS section of connections to other servers.";
        "quorum.auth.server.saslLoginContext" "" TEXT, "QuorumServer" "" WORKS, "JAAS section of connections from other servers.";
        "quorum.auth.kerberos.servicePrincipal" "" TEXT, "zkquorum/localhost" "" WORKS, "Principal of the other servers; _HOST is replaced by their host name.";
        "quorum.auth.allowedPrincipals" "" LIST, "" "" WORKS, "Full principals that may join as servers, separated by commas; without it those of our own name and realm (the learner's, else the service's) with a host of a server line.";
        "quorum.cnxn.threads.size" "" ANY_INT, "20" "threads" none("a handshake is a task, not a thread"), "Threads for handshakes between servers.";
        "kerberos.canonicalizeHostNames" "zookeeper.kerberos.canonicalizeHostNames" BOOL, "false" "" WORKS, "Turn host names of server lines into their canonical form.";
        "server.realm" "zookeeper.server.realm" TEXT, "= the client's" "" WORKS, "Realm of the service principal between servers.";
    }
}
