#!/bin/bash
# zkServer-initialize.sh: prepares the data directories of a new server, by `oxkeeper init`.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/zkEnv.sh"

usage() {
    printf 'usage: %s <parameters>
  Optional parameters:
     -h                                                    Display this message
     --help                                                Display this message
     --configfile=%-40s ZooKeeper config file
     --myid=#                                              Set the myid to be used, if any (1-255)
     --force                                               Force creation of the data/txnlog dirs
' "$0" "$ZOOCFG"
    exit 1
}

myid= force=
while [ -n "${1:-}" ]; do
    case $1 in
    --configfile)    ZOOCFG=$2; shift ;;
    --configfile=?*) ZOOCFG=${1#*=} ;;
    --myid)          myid=$2; shift ;;
    --myid=?*)       myid=${1#*=} ;;
    --force)         force=1 ;;
    -h|--help)       usage ;;
    *)               echo "Unknown option: $1"; usage ;;
    esac
    shift
done
exec "$OXKEEPER" init --configfile "$ZOOCFG" ${myid:+--myid "$myid"} ${force:+--force} 2>&1
