# zkEnv.sh: what the wrappers with ZooKeeper's names share; to be sourced. Reads what ZooKeeper's own reads: --config,
# ZOOCFGDIR, ZOOCFG, ZOO_LOG_DIR, zookeeper-env.sh and java.env beside zoo.cfg.

if [ $# -gt 1 ] && [ "$1" = --config ]; then
    ZOOCFGDIR=$2
    shift 2
fi
if [ -z "${ZOOCFGDIR:-}" ]; then
    ZOOCFGDIR=/etc/oxkeeper
    # The drop-in: a ZooKeeper was here before, and this package has not been configured.
    [ -e "$ZOOCFGDIR/zoo.cfg" ] || ZOOCFGDIR=/etc/zookeeper/conf
fi
[ ! -f "$ZOOCFGDIR/zookeeper-env.sh" ] || . "$ZOOCFGDIR/zookeeper-env.sh"
ZOOCFG=$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}
[ ! -f "$ZOOCFGDIR/java.env" ] || . "$ZOOCFGDIR/java.env"
ZOO_LOG_DIR=${ZOO_LOG_DIR:-/var/log/oxkeeper}
# Settings travel in these, as -D flags; flags of the virtual machine mean nothing here and are passed over.
export JVMFLAGS SERVER_JVMFLAGS CLIENT_JVMFLAGS

OXKEEPER=${OXKEEPER:-/usr/bin/oxkeeper}
if [ ! -x "$OXKEEPER" ]; then
    echo "Error: $OXKEEPER is not there; install the package, or name the binary by OXKEEPER." >&2
    exit 1
fi

# of_zoo_cfg KEY: its value, without blanks around it.
of_zoo_cfg() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*[=:][[:space:]]*//p" "$ZOOCFG" 2> /dev/null | sed 's/[[:space:]]*$//' | tail -n 1
}
