#!/bin/bash
# zkTxnLogToolkit.sh: prints, repairs or chops a transaction log, by `oxkeeper txnlog`.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/zkEnv.sh"
exec "$OXKEEPER" txnlog "$@"
