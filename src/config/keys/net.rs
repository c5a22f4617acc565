//! Rows: client listeners and their buffers, four-letter words.
//!
//! # Invariants
//!
//! * As for the whole table.

use super::row::*;

const THREADS: Status = none("connections are tasks of one runtime, which sizes itself");
const CACHE: Status = none("reads are encoded straight from the tree; there is no cache to size");

table! {
    Area::ClientNet => {
        "clientPort" "" PORT, "" "port" WORKS, "Port of plain client connections; 0 takes any free one.";
        "clientPortAddress" "" HOST, "" "" WORKS, "Address the client port is bound to; unset is all addresses. Needs clientPort.";
        "clientPortListenBacklog" "" from(-1), "-1" "connections" WORKS, "Backlog of the client listener; -1 leaves it to the operating system.";
        "maxClientCnxns" "" ANY_INT, "60" "connections" WORKS, "Connections from one address; 0 or less is unlimited. Without a configuration file the default is 0.";
        "maxCnxns" "zookeeper.maxCnxns" ANY_INT, "0" "connections" WORKS, "Connections of one listener in all; 0 or less is unlimited.";
        "clientTcpKeepAlive" "zookeeper.clientTcpKeepAlive" BOOL, "false" "" WORKS, "TCP keep-alive on client connections.";
        "serverCnxnFactory" "zookeeper.serverCnxnFactory" class(&["org.apache.zookeeper.server.NIOServerCnxnFactory", "org.apache.zookeeper.server.NettyServerCnxnFactory"]), "org.apache.zookeeper.server.NIOServerCnxnFactory" "" none("one connection layer serves plain and TLS"), "Which connection layer Java uses; both names mean the built-in one.";
        "nio.sessionlessCnxnTimeout" "zookeeper.nio.sessionlessCnxnTimeout" from(1), "10000" "ms" WORKS, "A connection that opens no session in this time is closed.";
        "nio.numSelectorThreads" "zookeeper.nio.numSelectorThreads" from(1), "= by cores" "threads" THREADS, "Selector threads of Java's connection layer.";
        "nio.numWorkerThreads" "zookeeper.nio.numWorkerThreads" from(0), "= twice the cores" "threads" THREADS, "Worker threads of Java's connection layer.";
        "nio.directBufferBytes" "zookeeper.nio.directBufferBytes" from(0), "65536" "bytes" THREADS, "Write buffer of a Java worker thread.";
        "nio.shutdownTimeout" "zookeeper.nio.shutdownTimeout" long(0), "5000" "ms" THREADS, "How long Java waits for its worker threads at the end.";
        "netty.advancedFlowControl.enabled" "zookeeper.netty.advancedFlowControl.enabled" BOOL, "false" "" none("a connection is read only when its requests can be taken, always"), "Manual flow control of Java's Netty layer.";
        "intBufferStartingSizeBytes" "zookeeper.intBufferStartingSizeBytes" from(32), "1024" "bytes" none("replies are built in buffers that are reused"), "First size of a reply buffer.";
        "maxResponseCacheSize" "zookeeper.maxResponseCacheSize" ANY_INT, "400" "entries" CACHE, "Entries of Java's cache of getData replies.";
        "maxGetChildrenResponseCacheSize" "zookeeper.maxGetChildrenResponseCacheSize" ANY_INT, "400" "entries" CACHE, "Entries of Java's cache of getChildren replies.";
        "4lw.commands.whitelist" "zookeeper.4lw.commands.whitelist" LIST, "" "" WORKS, "Four-letter words that answer: names or *; srvr always does, isro too in read-only mode.";
        "jute.maxbuffer.extrasize" "zookeeper.jute.maxbuffer.extrasize" raised(1024), "= jute.maxbuffer" "bytes" none("a record is bounded by its frame: nothing is allocated beyond it"), "What a record may take beyond jute.maxbuffer.";
        "" "jute.maxbuffer" from(1024), "1048575" "bytes" WORKS, "Largest client frame. Java reads it only as -D flag; here zoo.cfg has it too.";
    }
}
