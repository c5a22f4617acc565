//! Rows: admin server, metrics, audit, diagnosis, Java and start scripts.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

const NO_JVM: Status = none("there is no Java virtual machine");
const PAUSES: Status = none("the server measures its own pauses, always");
const RESERVED: Status = none("a key of a later ZooKeeper, which 3.9 does not read");
const SUMMARIES: Status = none("observations are counted in place, not queued to threads");
const PATHS: Status = none("statistics by path are not kept");
const TESTS: &str = "for ZooKeeper's own tests only";
const STORES: Kind = word(&["JKS", "PEM", "PKCS12", "BCFKS", ""]);
const SCRIPTS: Status = none("read by Java's start scripts");

table! {
    Area::Admin => {
        "admin.enableServer" "zookeeper.admin.enableServer" BOOL, "true" "" WORKS, "Run the HTTP admin server.";
        "admin.serverAddress" "zookeeper.admin.serverAddress" HOST, "0.0.0.0" "" WORKS, "Address of the admin server.";
        "admin.serverPort" "zookeeper.admin.serverPort" PORT, "8080" "port" WORKS, "Port of the admin server.";
        "admin.idleTimeout" "zookeeper.admin.idleTimeout" from(1), "30000" "ms" WORKS, "An idle admin connection is closed after it.";
        "admin.commandURL" "zookeeper.admin.commandURL" TEXT, "/commands" "" WORKS, "Prefix of the admin commands.";
        "admin.httpVersion" "zookeeper.admin.httpVersion" ANY_INT, "11" "" none("HTTP/1.1 is served"), "HTTP version of Java's admin server.";
        "admin.portUnification" "zookeeper.admin.portUnification" BOOL, "false" "" WORKS, "The admin port takes HTTP and HTTPS.";
        "admin.forceHttps" "zookeeper.admin.forceHttps" BOOL, "false" "" WORKS, "The admin port takes HTTPS only.";
        "admin.needClientAuth" "zookeeper.admin.needClientAuth" BOOL, "false" "" WORKS, "Admin clients have to show a certificate.";
        "admin.rateLimiterIntervalInMS" "zookeeper.admin.rateLimiterIntervalInMS" from(0), "300000" "ms" WORKS, "Shortest time between two snapshot or restore commands.";
        "admin.snapshot.enabled" "zookeeper.admin.snapshot.enabled" BOOL, "true" "" WORKS, "Offer the snapshot command.";
        "admin.restore.enabled" "zookeeper.admin.restore.enabled" BOOL, "true" "" WORKS, "Offer the restore command.";
        "admin.auth.kerberos" "zookeeper.admin.auth.kerberos" BOOL, "false" "" WORKS, "Admin clients may log in by Kerberos (SPNEGO, the HTTP scheme Negotiate). As soon as any key of admin.auth is written, nothing but health and metrics is told without identity.";
        "admin.auth.kerberos.keytab" "zookeeper.admin.auth.kerberos.keytab" PATH, "" "" WORKS, "Keytab with the key of the HTTP service; unset: that of this server's own login.";
        "admin.auth.kerberos.principal" "zookeeper.admin.auth.kerberos.principal" TEXT, "HTTP" "" WORKS, "Principal in that keytab: its first component alone (any key of that service is taken), or a full principal.";
        "admin.auth.x509" "zookeeper.admin.auth.x509" BOOL, "false" "" WORKS, "Ask admin clients for a certificate; its subject is an identity of scheme x509. With admin.needClientAuth there is no connection without.";
        "admin.auth.digest" "zookeeper.admin.auth.digest" BOOL, "true" "" WORKS, "Take a user and password (HTTP Basic, or ZooKeeper's scheme digest) over TLS or from this machine.";
        "admin.auth.read.<n>" "zookeeper.admin.auth.read.<n>" TEXT, "" "" WORKS, "An identity that may look, as scheme:id; the id * is everybody of the scheme.";
        "admin.auth.operate.<n>" "zookeeper.admin.auth.operate.<n>" TEXT, "" "" WORKS, "An identity that may also reset numbers, set the trace mask and shed connections.";
        "admin.auth.restore.<n>" "zookeeper.admin.auth.restore.<n>" TEXT, "" "" WORKS, "An identity that may also take and restore snapshots. Super users may, and whoever the ACL of / names with every right.";
    }
    Area::Metrics => {
        "metricsProvider.className" "" class(&["org.apache.zookeeper.metrics.impl.DefaultMetricsProvider", "org.apache.zookeeper.metrics.impl.NullMetricsProvider", "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"]), "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider" "" WORKS, "Where metrics go: the default keeps them for mntr, the Prometheus one also serves them over HTTP, the null one shows none.";
        "metricsProvider.httpHost" "" HOST, "0.0.0.0" "" WORKS, "Address of the metrics listener.";
        "metricsProvider.httpPort" "" PORT, "7000" "port" WORKS, "Port of the metrics listener, without TLS; where metricsProvider.httpsPort is set there is none unless this is set too.";
        "metricsProvider.exportJvmInfo" "" BOOL, "true" "" WORKS, "Also export process metrics.";
        "metricsProvider.jvmAliases" "" BOOL, "false" "" WORKS, "Also export jvm_ series that alert rules of Java's server ask for, made of figures of the process.";
        "slow.operations.thresholdMs" "zookeeper.slow.operations.thresholdMs" from(0), "1000" "ms" WORKS, "Requests that take longer are logged with who and what, counted, and kept for the admin server; 0 is off.";
        "kerberos.keytab.maxAgeDays" "zookeeper.kerberos.keytab.maxAgeDays" from(0), "0" "days" WORKS, "How old a key of the keytab may get before the realm lets it expire: metrics then tell when that is; 0: it is not known.";
        "metricsProvider.numWorkerThreads" "" ANY_INT, "1" "threads" SUMMARIES, "Threads of Java's summaries.";
        "metricsProvider.maxQueueSize" "" from(1), "1000000" "tasks" SUMMARIES, "Queue of Java's summaries.";
        "metricsProvider.workerShutdownTimeoutMs" "" long(0), "1000" "ms" SUMMARIES, "How long Java waits for its summaries at the end.";
        "metricsProvider.httpsPort" "" int(-1, 65_535), "-1" "port" WORKS, "Port of the metrics listener with TLS (a key of ZooKeeper 3.10); -1 is none.";
        "metricsProvider.prometheusMetricsSummaryRotateIntervalSeconds" "" ANY_INT, "60" "s" RESERVED, "Window of summaries.";
        "metricsProvider.ssl.keyStore.location" "" PATH, "" "" WORKS, "Key store of the metrics listener.";
        "metricsProvider.ssl.keyStore.password" "" SECRET, "" "" WORKS, "Password of that key store.";
        "metricsProvider.ssl.keyStore.type" "" STORES, "" "" WORKS, "Format of that key store.";
        "metricsProvider.ssl.trustStore.location" "" PATH, "" "" WORKS, "Trust store of the metrics listener.";
        "metricsProvider.ssl.trustStore.password" "" SECRET, "" "" WORKS, "Password of that trust store.";
        "metricsProvider.ssl.trustStore.type" "" STORES, "" "" WORKS, "Format of that trust store.";
        "metricsProvider.ssl.need.client.auth" "" BOOL, "true" "" WORKS, "Metrics clients have to show a certificate.";
        "metricsProvider.ssl.want.client.auth" "" BOOL, "true" "" WORKS, "Metrics clients are asked for a certificate.";
        "metricsProvider.ssl.enabledProtocols" "" LIST, "" "" WORKS, "TLS protocols of the metrics listener.";
        "metricsProvider.ssl.ciphersuites" "" LIST, "" "" WORKS, "Cipher suites of the metrics listener.";
        "metricsProvider.httpVersion" "" ANY_INT, "11" "" RESERVED, "HTTP version of the metrics listener.";
        "metricsProvider.<other>" "" SECRET, "" "" none("the built-in providers have no further settings"), "Settings of a provider of one's own.";
        "leader.ackLoggingFrequency" "zookeeper.leader.ackLoggingFrequency" ANY_INT, "1000" "proposals" WORKS, "Every how many proposals the latency of acknowledgements is measured; 0 or less is off.";
    }
    Area::Audit => {
        "audit.enable" "zookeeper.audit.enable" BOOL, "false" "" WORKS, "Write an audit log: writes, logins, sessions, and everything that is refused.";
        "audit.layout" "zookeeper.audit.layout" word(&["java", "mrs", "json"]), "java" "" WORKS, "How records look: ZooKeeper's fields between tabs, FusionInsight MRS's between question marks, or JSON (which tells the most).";
        "audit.file" "zookeeper.audit.file" PATH, "" "" WORKS, "File of the audit log, hash-chained; unset: the server's own log, as in ZooKeeper.";
        "audit.file.maxSizeMB" "zookeeper.audit.file.maxSizeMB" int(1, 4096), "30" "MiB" WORKS, "A new audit file begins at this size.";
        "audit.file.maxCount" "zookeeper.audit.file.maxCount" int(1, 10_000), "20" "files" WORKS, "Audit files that are kept, the newest among them; older ones are removed.";
        "audit.whenFull" "zookeeper.audit.whenFull" word(&["block", "drop"]), "block" "" WORKS, "When too many records wait for the disk: requests wait as well, or records are dropped and counted.";
        "audit.required" "zookeeper.audit.required" BOOL, "false" "" WORKS, "No audit, no service: a reply leaves when its record is on the disk, and nothing is served while the audit file cannot be written.";
        "secrets.strictPermissions" "zookeeper.secrets.strictPermissions" BOOL, "false" "" WORKS, "Do not start while others than their owner may read files with secrets (zoo.cfg, java.env, JAAS file, keytab, key stores).";
        "process.coreDumps" "zookeeper.process.coreDumps" BOOL, "false" "" WORKS, "Allow core dumps and debuggers, which show secrets, and tell the text of a panic, which may hold data.";
        "rescue.socket" "zookeeper.rescue.socket" PATH, "" "" WORKS, "Local socket where root gives a session super rights for some minutes (oxkeeper rescue) or has a leader hand over (oxkeeper transfer); unset: there is none.";
        "systemd.readyWhen" "zookeeper.systemd.readyWhen" word(&["started", "quorum"]), "started" "" WORKS, "When a member of an ensemble tells systemd that it is ready: when it takes part in the ensemble, or when it serves clients.";
        "audit.impl.class" "zookeeper.audit.impl.class" class(&["org.apache.zookeeper.audit.Slf4jAuditLogger"]), "org.apache.zookeeper.audit.Slf4jAuditLogger" "" none("the audit log is built in"), "Java class that writes the audit log.";
    }
    Area::Debug => {
        "fsync.warningthresholdms" "zookeeper.fsync.warningthresholdms" long(0), "1000" "ms" WORKS, "A log sync that takes longer is logged.";
        "" "fsync.warningthresholdms" long(0), "1000" "ms" WORKS, "As the key of this name; the property with the zookeeper prefix wins.";
        "forceSnapshotSync" "zookeeper.forceSnapshotSync" BOOL, "false" "" WORKS, "Always send a whole snapshot to a lagging server.";
        "messageTracker.BufferSize" "zookeeper.messageTracker.BufferSize" ANY_INT, "10" "messages" ENSEMBLE, "Packets between servers remembered for the log.";
        "messageTracker.Enabled" "zookeeper.messageTracker.Enabled" BOOL, "false" "" ENSEMBLE, "Log the last packets of a server connection that broke.";
        "pathStats.enabled" "zookeeper.pathStats.enabled" BOOL, "false" "" PATHS, "Sample which paths are used most.";
        "pathStats.slotCapacity" "zookeeper.pathStats.slotCapacity" ANY_INT, "60" "slots" PATHS, "Slots of that history.";
        "pathStats.slotDuration" "zookeeper.pathStats.slotDuration" ANY_INT, "15" "s" PATHS, "Length of a slot.";
        "pathStats.maxDepth" "zookeeper.pathStats.maxDepth" ANY_INT, "6" "levels" PATHS, "Depth of the paths kept.";
        "pathStats.sampleRate" "zookeeper.pathStats.sampleRate" Kind::Float(0.0, 1.0), "0.1" "ratio" PATHS, "Share of requests sampled.";
        "pathStats.initialDelay" "zookeeper.pathStats.initialDelay" long(0), "5" "min" PATHS, "Time to the first report.";
        "pathStats.delay" "zookeeper.pathStats.delay" long(0), "5" "min" PATHS, "Time between reports.";
        "pathStats.topPathMax" "zookeeper.pathStats.topPathMax" ANY_INT, "20" "paths" PATHS, "Paths of a report.";
        "testingonly.initialZxid" "zookeeper.testingonly.initialZxid" TEXT, "" "" Status::Refused(TESTS), "Counter a leader starts with.";
        "test.allowDiscontinuousProposals" "zookeeper.test.allowDiscontinuousProposals" BOOL, "false" "" Status::Refused(TESTS), "Accept gaps between proposals.";
        "" "zookeeper.controllerPort" PORT, "" "port" none(TESTS), "Port of a test service.";
    }
    Area::Jvm => {
        "jvm.pause.monitor" "" BOOL, "false" "" PAUSES, "Watch for pauses of the virtual machine.";
        "jvm.pause.warn-threshold.ms" "" long(0), "10000" "ms" PAUSES, "A longer pause is a warning.";
        "jvm.pause.info-threshold.ms" "" long(0), "1000" "ms" PAUSES, "A longer pause is logged.";
        "jvm.pause.sleep.time.ms" "" long(1), "500" "ms" PAUSES, "How often pauses are looked for.";
        "jmx.log4j.disable" "zookeeper.jmx.log4j.disable" BOOL, "false" "" NO_JVM, "Do not register logging beans.";
        "jmx.log4j.mbean" "zookeeper.jmx.log4j.mbean" TEXT, "log4j:hierarchy=default" "" NO_JVM, "Name of the logging bean.";
        "" "sun.security.jgss.native" BOOL, "false" "" none("the system's GSS library is always used"), "Java uses the system's GSS library.";
        "" "jdk.tls.rejectClientInitiatedRenegotiation" BOOL, "true" "" none("TLS renegotiation does not exist here"), "Refuse renegotiation that a TLS client asks for.";
        "" "com.sun.security.onlyCheckRevocationOfEECert (security property)" BOOL, "false" "" NO_JVM, "Check only the end certificate for revocation.";
        "" "zookeeper.log.dir" PATH, "" "" SCRIPTS, "Log directory, set by the start script.";
        "" "zookeeper.log.file" TEXT, "" "" SCRIPTS, "Log file, set by the start script.";
        "" "env:ZOOCFGDIR" ENV, "= conf beside bin" "" OPERATIONS, "Directory of the configuration.";
        "" "env:ZOOCFG" ENV, "zoo.cfg" "" OPERATIONS, "Name of the configuration file.";
        "" "env:ZOO_LOG_DIR" ENV, "= logs beside bin" "" OPERATIONS, "Directory of the log files.";
        "" "env:ZOO_LOG_FILE" ENV, "= by user and host" "" OPERATIONS, "Name of the log file.";
        "" "env:ZOOPIDFILE" ENV, "= dataDir/zookeeper_server.pid" "" OPERATIONS, "File with the process id.";
        "" "env:ZK_SERVER_HEAP" ENV, "1000" "MiB" NO_JVM, "Heap of the server.";
        "" "env:SERVER_JVMFLAGS" ENV, "" "" WORKS, "Flags of the server; -D properties are taken, others are listed as ignored.";
        "" "env:JVMFLAGS" ENV, "" "" WORKS, "Flags of server and tools; -D properties are taken, others are listed as ignored.";
        "" "env:CLIENT_JVMFLAGS" ENV, "" "" SECURITY, "Flags of the tools: their TLS and SASL settings.";
        "" "env:ZOO_DATADIR_AUTOCREATE_DISABLE" ENV, "" "" WORKS, "Any text means datadir.autocreate=false.";
        "" "env:JMXPORT" ENV, "" "" NO_JVM, "Port of remote JMX.";
        "" "env:JMXDISABLE" ENV, "" "" NO_JVM, "Do not enable JMX.";
        "" "env:JMXLOCALONLY" ENV, "false" "" NO_JVM, "JMX for local users only.";
    }
}
