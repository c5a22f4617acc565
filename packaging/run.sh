#!/bin/bash
# run.sh <directory> <oxkeeper>: starts a standalone server in the foreground, from a zoo.cfg that is
# written on the first start and then left alone. PORT sets the client port of that first start.
set -euo pipefail
dir=$1 ox=$2
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
cfg=$dir/zoo.cfg
if [ ! -e "$cfg" ]; then
    cat > "$cfg" <<X
# Written by \`make run-standalone\`. Any zoo.cfg of ZooKeeper 3.9 works as well.
tickTime=2000
dataDir=$dir/data
clientPort=${PORT:-2181}
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr,stat,mntr,ruok,conf,cons,dump,wchs,envi,isro
X
fi
port=$(sed -n 's/^clientPort=//p' "$cfg")
cat <<X
Oxkeeper, standalone, on 127.0.0.1:$port. Configuration $cfg, data $dir/data. Ctrl-C ends it.

  look   echo srvr | nc -q1 127.0.0.1 $port
  shell  $ox shell -server 127.0.0.1:$port
  zkCli  zkCli.sh -server 127.0.0.1:$port        (ZooKeeper's own, unchanged)
  kazoo  python3 -c 'from kazoo.client import KazooClient as K; k = K("127.0.0.1:$port"); k.start(); print(k.get_children("/"))'

X
exec "$ox" serve "$cfg"
