#!/bin/bash
# zkSnapShotToolkit.sh [-d|-json] FILE: prints a snapshot, by `oxkeeper dump snapshot`.
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/zkEnv.sh"

# Exit code of a wrong invocation.
WRONG=2
data= json= file=
while [ $# -gt 0 ]; do
    case $1 in
    -d)    data=--data ;;
    -json) json=--ncdu ;;
    *)     file=$1; shift; break ;;
    esac
    shift
done
if [ $# -gt 0 ] || [ -z "$file" ]; then
    printf '%s\n' 'USAGE: SnapshotFormatter [-d|-json] snapshot_file' '       -d dump the data for each znode' \
        '       -json dump znode info in json format' >&2
    exit $WRONG
fi
absolute=$(realpath -ms -- "$file")
if [ ! -e "$file" ]; then
    echo "File '$absolute' does not exist." >&2
    exit $WRONG
elif [ ! -r "$file" ]; then
    echo "Read permission is denied on the file '$absolute'" >&2
    exit $WRONG
elif [ -d "$file" ]; then
    echo "'$absolute' is a directory. it must be a file." >&2
    exit $WRONG
elif [ -n "$data" ] && [ -n "$json" ]; then
    echo "Cannot specify both data dump (-d) and json mode (-json) in same call" >&2
    exit $WRONG
fi
exec "$OXKEEPER" dump snapshot $data $json "$file"
