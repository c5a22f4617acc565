#!/bin/bash
# zkCli.sh: ZooKeeper's shell, by `oxkeeper shell`.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/zkEnv.sh"
exec "$OXKEEPER" shell "$@"
