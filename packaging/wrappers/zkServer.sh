#!/bin/bash
# zkServer.sh: start, stop and ask an Oxkeeper server, with ZooKeeper's arguments, messages and exit codes.
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
. "$here/zkEnv.sh"

# The time that a server takes at most to end, and one that was started to fail, seconds.
STOP_LIMIT=15
START_LOOK=1

if [ -n "${2:-}" ]; then
    ZOOCFG=$ZOOCFGDIR/$2
fi
if [ "$(dirname "$ZOOCFG")" != "$ZOOCFGDIR" ]; then
    ZOOCFG=${2:-$ZOOCFG}
fi
# It says the lines of the beginning by itself.
if [ "${1:-}" = status ]; then
    exec "$OXKEEPER" status "$ZOOCFG"
fi

say_beginning() {
    if [ -z "${JMXDISABLE:-}" ] || [ "$JMXDISABLE" = false ]; then
        echo "ZooKeeper JMX enabled by default" >&2
    else
        echo "JMX disabled by user request" >&2
    fi
    echo "Using config: $ZOOCFG" >&2
}
say_beginning

data_dir=$(of_zoo_cfg dataDir)
data_log_dir=$(of_zoo_cfg dataLogDir)
if [ -n "${ZOO_DATADIR_AUTOCREATE_DISABLE:-}" ]; then
    export ZOO_DATADIR_AUTOCREATE_DISABLE
    if [ ! -d "$data_dir/version-2" ]; then
        echo "ZooKeeper data directory is missing at $data_dir fix the path or run initialize"
        exit 1
    fi
    if [ -n "$data_log_dir" ] && [ ! -d "$data_log_dir/version-2" ]; then
        echo "ZooKeeper txnlog directory is missing at $data_log_dir fix the path or run initialize"
        exit 1
    fi
fi
pid_file=${ZOOPIDFILE:-$data_dir/zookeeper_server.pid}
# Whoever has no name in the environment (cron) has one all the same.
log=zookeeper-${USER:-$(id -un)}-server-${HOSTNAME:-$(uname -n)}
out=$ZOO_LOG_DIR/$log.out
command=("$OXKEEPER" serve)
[ ! -f "$ZOOCFGDIR/logging" ] || command+=(--logging "$ZOOCFGDIR/logging")
foreground=("${command[@]}" "$ZOOCFG")
command+=(--log-file "$ZOO_LOG_DIR/${ZOO_LOG_FILE:-$log.log}" "$ZOOCFG")

# ended_within SECONDS PID: did it end in the time?
ended_within() {
    timeout "$1" tail -s 0.05 --pid="$2" -f /dev/null 2> /dev/null
}

start() {
    local pid
    echo -n "Starting zookeeper ... "
    if [ -f "$pid_file" ] && pid=$(cat "$pid_file") && kill -0 "$pid" > /dev/null 2>&1; then
        echo "already running as process $pid."
        return 1
    fi
    mkdir -p "$(dirname "$pid_file")" "$ZOO_LOG_DIR"
    nohup "${command[@]}" > "$out" 2>&1 < /dev/null &
    pid=$!
    if ! echo -n "$pid" > "$pid_file"; then
        # Nobody could stop it any more.
        kill "$pid"
        echo FAILED TO WRITE PID
        return 1
    fi
    if ended_within $START_LOOK "$pid"; then
        echo FAILED TO START
        return 1
    fi
    echo STARTED
}

stop() {
    local pid
    echo -n "Stopping zookeeper ... "
    if [ ! -f "$pid_file" ]; then
        echo "no zookeeper to stop (could not find file $pid_file)"
        return
    fi
    pid=$(cat "$pid_file")
    kill "$pid" && ended_within $STOP_LIMIT "$pid"
    rm "$pid_file"
    echo STOPPED
}

case ${1:-} in
start)
    start
    exit $?
    ;;
start-foreground)
    if [ -n "${ZOO_NOEXEC:-}" ]; then
        "${foreground[@]}"
        exit $?
    fi
    exec "${foreground[@]}"
    ;;
print-cmd)
    printf '"%s" ' "${command[@]}"
    echo "> \"$out\" 2>&1 < /dev/null"
    ;;
stop)
    stop
    exit 0
    ;;
restart)
    # ZooKeeper's script calls itself for both.
    say_beginning
    stop
    say_beginning
    start
    exit $?
    ;;
version)
    "$OXKEEPER" --version | tail -n 1
    ;;
*)
    # ZooKeeper's ends with 0 here, and so does this.
    echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2
    ;;
esac
