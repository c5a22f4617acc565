//! Rows: limits on requests and connections.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

const STAGES: Status = none("there is no pool of commit workers to size or to wait for");
const SHARE: Kind = Kind::Float(0.0, 1.0);

table! {
    Area::Throttling => {
        "globalOutstandingLimit" "zookeeper.globalOutstandingLimit" from(1), "1000" "requests" WORKS, "Requests of all clients in the server beyond which connections with pending requests are not read.";
        "flushDelay" "zookeeper.flushDelay" long(0), "0" "ms" WORKS, "Hold a log flush back this long to collect a larger batch.";
        "maxWriteQueuePollTime" "zookeeper.maxWriteQueuePollTime" long(0), "= flushDelay / 3" "ms" none("the log thread is woken by each request, it does not poll"), "How long a held-back flush waits for the next request.";
        "maxBatchSize" "zookeeper.maxBatchSize" ANY_INT, "1000" "requests" WORKS, "Flush the log after this many requests; 0 is no limit.";
        "request_throttle_max_requests" "zookeeper.request_throttle_max_requests" ANY_INT, "0" "requests" WORKS, "Requests in the server at which new ones are stalled; 0 is off.";
        "request_throttle_stall_time" "zookeeper.request_throttle_stall_time" from(1), "100" "ms" none("a stalled request goes on as soon as there is room, nothing polls for it"), "How long a stalled request waits before it is looked at again.";
        "request_throttle_drop_stale" "zookeeper.request_throttle_drop_stale" BOOL, "true" "" WORKS, "Drop stale requests while others are stalled.";
        "request_stale_latency_check" "zookeeper.request_stale_latency_check" BOOL, "false" "" WORKS, "A request older than its session's time-out is stale.";
        "request_stale_connection_check" "zookeeper.request_stale_connection_check" BOOL, "true" "" WORKS, "A request whose connection is closed is stale.";
        "request_throttler.shutdownTimeout" "zookeeper.request_throttler.shutdownTimeout" from(0), "10000" "ms" none("the end of the server has bounds of its own and takes at most 10 s"), "How long the end of the server waits for requests under way.";
        "throttled_op_wait_time" "zookeeper.throttled_op_wait_time" ANY_INT, "0" "ms" WORKS, "A request that waited longer is answered with THROTTLEDOP; 0 is off.";
        "largeRequestMaxBytes" "zookeeper.largeRequestMaxBytes" from(1), "104857600" "bytes" WORKS, "Bytes of all large requests together.";
        "largeRequestThreshold" "zookeeper.largeRequestThreshold" ANY_INT, "-1" "bytes" WORKS, "Size above which a request is large; -1 is off.";
        "connection_throttle_tokens" "zookeeper.connection_throttle_tokens" ANY_INT, "0" "tokens" WORKS, "Tokens of the connection throttle; 0 is off.";
        "connection_throttle_fill_time" "zookeeper.connection_throttle_fill_time" from(1), "1" "ms" WORKS, "Time between refills of tokens.";
        "connection_throttle_fill_count" "zookeeper.connection_throttle_fill_count" from(0), "1" "tokens" WORKS, "Tokens of a refill.";
        "connection_throttle_freeze_time" "zookeeper.connection_throttle_freeze_time" ANY_INT, "-1" "ms" WORKS, "Time between changes of the drop probability; -1 is off.";
        "connection_throttle_drop_increase" "zookeeper.connection_throttle_drop_increase" SHARE, "0.02" "probability" WORKS, "Step up of the drop probability.";
        "connection_throttle_drop_decrease" "zookeeper.connection_throttle_drop_decrease" SHARE, "0.002" "probability" WORKS, "Step down of the drop probability.";
        "connection_throttle_decrease_ratio" "zookeeper.connection_throttle_decrease_ratio" SHARE, "0" "ratio" WORKS, "Share of tokens that has to be free before the drop probability falls.";
        "connection_throttle_weight_enabled" "zookeeper.connection_throttle_weight_enabled" BOOL, "false" "" WORKS, "Kinds of sessions cost different numbers of tokens.";
        "connection_throttle_global_session_weight" "zookeeper.connection_throttle_global_session_weight" from(1), "3" "tokens" WORKS, "Cost of a new global session; at least that of a local one.";
        "connection_throttle_local_session_weight" "zookeeper.connection_throttle_local_session_weight" from(1), "1" "tokens" WORKS, "Cost of a new local session.";
        "connection_throttle_renew_session_weight" "zookeeper.connection_throttle_renew_session_weight" from(1), "2" "tokens" WORKS, "Cost of a renewed session; at least that of a local one.";
        "commitProcessor.numWorkerThreads" "zookeeper.commitProcessor.numWorkerThreads" ANY_INT, "= cores" "threads" STAGES, "Threads of Java's commit stage.";
        "commitProcessor.maxReadBatchSize" "zookeeper.commitProcessor.maxReadBatchSize" ANY_INT, "-1" "reads" none("reads do not queue behind commits of other sessions"), "Reads of a round of Java's commit stage.";
        "commitProcessor.maxCommitBatchSize" "zookeeper.commitProcessor.maxCommitBatchSize" from(1), "1" "commits" none("commits are applied in the batches they became durable in"), "Commits of a round of Java's commit stage.";
        "commitProcessor.shutdownTimeout" "zookeeper.commitProcessor.shutdownTimeout" long(0), "5000" "ms" STAGES, "How long Java waits for its commit workers at the end.";
    }
}
