#!/bin/bash
# zkCleanup.sh -n COUNT: removes old snapshots and logs of the directories that zoo.cfg names, by `oxkeeper purge`.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/zkEnv.sh"
data_dir=$(of_zoo_cfg dataDir)
data_log_dir=$(of_zoo_cfg dataLogDir)
exec "$OXKEEPER" purge ${data_log_dir:+"$data_log_dir"} "$data_dir" "$@"
