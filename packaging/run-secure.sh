#!/bin/bash
# run-secure.sh <directory> <oxkeeper>: a standalone server that lets nobody in without Kerberos, with a KDC of
# its own, both in the foreground and on loopback alone. Realm, certificate authority, keytabs and configuration
# are made in the directory on the first start and then left alone. PORT, TLS_PORT and KDC_PORT set the
# ports of that first start. Ctrl-C ends both.
set -euo pipefail
dir=$1 ox=$2
realm=OXKEEPER.TEST
. "$(dirname "${BASH_SOURCE[0]}")/realm.sh"
need_kerberos
enter_directory

make_configuration() {
    cat > "$dir/jaas.conf" <<X1
Server {
  com.sun.security.auth.module.Krb5LoginModule required
  useKeyTab=true keyTab="$dir/keytabs/zookeeper.keytab" storeKey=true useTicketCache=false
  principal="zookeeper/localhost@$realm";
};
X1
    cat > "$dir/client-keytab.jaas" <<X1
Client {
  com.sun.security.auth.module.Krb5LoginModule required
  useKeyTab=true keyTab="$dir/keytabs/alice.keytab" storeKey=true useTicketCache=false
  principal="alice@$realm";
};
X1
    cat > "$dir/client-ticket.jaas" <<X1
Client {
  com.sun.security.auth.module.Krb5LoginModule required
  useKeyTab=false useTicketCache=true doNotPrompt=true ticketCache="$dir/ccache";
};
X1
    cat > "$dir/secure.cfg" <<X1
# Written by \`make run-secure\`. Any zoo.cfg of ZooKeeper 3.9 works as well.
tickTime=2000
dataDir=$dir/secure-data
clientPort=$1
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=srvr,stat,mntr,ruok,conf,cons,dump,wchs,envi,isro

# Nobody without a Kerberos login.
authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
sessionRequireClientSASLAuth=true
java.security.auth.login.config=$dir/jaas.conf
java.security.krb5.conf=$dir/krb5.conf

# The same logins through TLS; a client may show a certificate of the same authority, and need not.
secureClientPort=$2
secureClientPortAddress=127.0.0.1
ssl.keyStore.location=$dir/tls/server.pem
ssl.trustStore.location=$dir/tls/ca.pem
ssl.clientAuth=want

# Who did what, and who was turned away.
audit.enable=true
audit.file=$dir/audit.log
secrets.strictPermissions=true
X1
}

make_realm_once zookeeper
[ -e "$dir/tls/server.pem" ] || make_certificates
[ -e "$dir/secure.cfg" ] || make_configuration "${PORT:-2181}" "$(free_port "${TLS_PORT:-2281}")"

port=$(sed -n 's/^clientPort=//p' "$dir/secure.cfg")
tls_port=$(sed -n 's/^secureClientPort=//p' "$dir/secure.cfg")
kdc_port=$(sed -n 's/.*kdc_tcp_listen = 127.0.0.1://p' "$dir/kdc/kdc.conf")
children=()
finish() {
    trap - EXIT INT TERM
    for pid in "${children[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2> /dev/null || true; done
}
trap finish EXIT
trap 'exit 0' INT TERM

start_kdc
children+=("$kdc_pid")

cat <<X
Oxkeeper, standalone, on 127.0.0.1:$port, with TLS on 127.0.0.1:${tls_port:-none}, for Kerberos logins alone. Realm $realm, KDC on 127.0.0.1:$kdc_port.
Everything is in $dir: secure.cfg, jaas.conf, krb5.conf, keytabs/, kdc/, tls/ (CA and certificate), bob.password, audit.log.
Ctrl-C ends server and KDC.

  export KRB5_CONFIG=$dir/krb5.conf

  shell, by keytab   $ox shell -server localhost:$port --keytab $dir/keytabs/alice.keytab --principal alice@$realm whoami
  shell, by ticket   kinit bob < $dir/bob.password; $ox shell -server localhost:$port --kerberos whoami
  zkCli, by keytab   JVMFLAGS="-Djava.security.krb5.conf=$dir/krb5.conf -Djava.security.auth.login.config=$dir/client-keytab.jaas -Dzookeeper.server.principal=zookeeper/localhost@$realm" zkCli.sh -server localhost:$port
  zkCli, by ticket   the same with $dir/client-ticket.jaas, after kinit bob
  through TLS        $ox shell -server localhost:${tls_port:-none} -Dzookeeper.client.secure=true -Dzookeeper.ssl.trustStore.location=$dir/tls/ca.pem --keytab $dir/keytabs/alice.keytab --principal alice@$realm whoami
  without a login    $ox shell -server localhost:$port ls /          (is refused)

X
"$ox" serve "$dir/secure.cfg" &
children+=($!)
# Whichever ends first ends the other.
wait -n || true
