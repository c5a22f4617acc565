#!/bin/bash
# run-ensemble.sh <directory> <oxkeeper>: three servers on loopback with a KDC of their own. Clients log in by Kerberos,
# servers log in to each other by Kerberos through TLS, and the root belongs to one principal. Realm, certificates and
# configurations are made in the directory on the first start and then left alone; PORT and TLS_PORT (each with the two
# behind it) and KDC_PORT set the ports of that first start. Ctrl-C ends everything that was started.
set -euo pipefail
dir=$1 ox=$2
realm=OXKEEPER.TEST
members="1 2 3"
. "$(dirname "${BASH_SOURCE[0]}")/realm.sh"
need_kerberos
enter_directory

krb() { # krb <section> <service>
    cat <<X1
$1 {
  com.sun.security.auth.module.Krb5LoginModule required
  useKeyTab=true keyTab="$dir/keytabs/$2.keytab" storeKey=true useTicketCache=false
  principal="$2/localhost@$realm";
};
X1
}

make_configuration() { # make_configuration <first client port> <first TLS port>
    local port=$1 tls_port=$2 n lines= quorum=2888 election admin=8080 metrics=7000
    for n in $members; do
        quorum=$(free_port "$quorum") && election=$(free_port $((quorum + 1000)))
        lines+="server.$n=localhost:$quorum:$election"$'\n'
        quorum=$((quorum + 1))
    done
    { krb Server zookeeper; krb QuorumServer zkquorum; krb QuorumLearner zkquorum; } > "$dir/jaas.conf"
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
    for n in $members; do
        mkdir -p "$dir/server.$n/data"
        echo "$n" > "$dir/server.$n/data/myid"
        admin=$(free_port "$admin") && metrics=$(free_port "$metrics")
        cat > "$dir/server.$n/zoo.cfg" <<X1
# Written by \`make run\`: member $n of three. Any zoo.cfg of ZooKeeper 3.9 works as well.
tickTime=2000
initLimit=10
syncLimit=5
dataDir=$dir/server.$n/data
clientPort=$((port + n - 1))
clientPortAddress=127.0.0.1
4lw.commands.whitelist=srvr,stat,mntr,ruok,conf,cons,dump,wchs,envi,isro
$lines
# Clients: nobody without a Kerberos login.
authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider
sessionRequireClientSASLAuth=true
java.security.auth.login.config=$dir/jaas.conf
java.security.krb5.conf=$dir/krb5.conf
# The same logins through TLS; a client may show a certificate of the same authority, and need not.
secureClientPort=$((tls_port + n - 1))
secureClientPortAddress=127.0.0.1
ssl.keyStore.location=$dir/tls/server.pem
ssl.trustStore.location=$dir/tls/ca.pem
ssl.clientAuth=want

# Who did what, and who was turned away.
audit.enable=true
audit.file=$dir/server.$n/audit.log
secrets.strictPermissions=true

# For this machine: the admin server with its console, and metrics for Prometheus.
admin.serverAddress=127.0.0.1
admin.serverPort=$admin
metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider
metricsProvider.httpHost=127.0.0.1
metricsProvider.httpPort=$metrics

# Servers: TLS with certificates of the private CA, and a Kerberos login inside it, on both ports.
sslQuorum=true
ssl.quorum.keyStore.location=$dir/tls/server.pem
ssl.quorum.trustStore.location=$dir/tls/ca.pem
quorum.auth.enableSasl=true
quorum.auth.learnerRequireSasl=true
quorum.auth.serverRequireSasl=true
quorum.auth.kerberos.servicePrincipal=zkquorum/_HOST
X1
        admin=$((admin + 1)) metrics=$((metrics + 1))
    done
}

make_realm_once "zookeeper zkquorum"
[ -e "$dir/tls/server.pem" ] || make_certificates
[ -e "$dir/server.3/zoo.cfg" ] || make_configuration "${PORT:-2181}" "${TLS_PORT:-2281}"

declare -A pids=()
kdc_pid=
finish() {
    trap - EXIT INT TERM
    # The servers first: a leader hands over, a server closes its log.
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
    [ -z "$kdc_pid" ] || { kill "$kdc_pid" 2> /dev/null || true; wait "$kdc_pid" 2> /dev/null || true; }
    echo "All servers and the KDC have ended. The data stays in $dir; make clean-run removes it."
}
trap finish EXIT
trap 'exit 0' INT TERM

key_of() { sed -n "s/^$2=//p" "$dir/server.$1/zoo.cfg"; } # key_of <member> <key>
client_port() { key_of "$1" clientPort; }
mode_of() { "$ox" status "$dir/server.$1/zoo.cfg" 2> /dev/null | sed -n 's/^Mode: //p'; }
servers=localhost:$(client_port 1),localhost:$(client_port 2),localhost:$(client_port 3)
shell=("$ox" shell -server "$servers")
alice=(--keytab "$dir/keytabs/alice.keytab" --principal "alice@$realm")

start_kdc
for n in $members; do
    "$ox" serve "$dir/server.$n/zoo.cfg" > "$dir/server.$n/log" 2>&1 &
    pids[$n]=$!
done

for n in $members; do
    for _ in $(seq 300); do
        mode=$(mode_of "$n") && [ -n "$mode" ] && break
        kill -0 "${pids[$n]}" 2> /dev/null || { echo "server.$n did not start; the end of $dir/server.$n/log:"; tail -n 20 "$dir/server.$n/log"; exit 1; }
        sleep 0.1
    done
    [ -n "$mode" ] || { echo "server.$n does not serve; the end of $dir/server.$n/log:"; tail -n 20 "$dir/server.$n/log"; exit 1; }
done

if [ ! -e "$dir/root-guarded" ]; then
    "${shell[@]}" "${alice[@]}" setAcl / "sasl:alice@$realm:cdrwa,sasl:bob@$realm:r" > "$dir/root-acl.log" 2>&1 ||
        { echo "The ACL of the root could not be set:"; cat "$dir/root-acl.log"; exit 1; }
    touch "$dir/root-guarded"
fi

echo
echo "Three Oxkeepers on loopback; realm $realm. Everything is in $dir. Ctrl-C ends servers and KDC."
echo
for n in $members; do
    printf '  server.%s  %-9s 127.0.0.1:%s  pid %s  log %s\n' "$n" "$(mode_of "$n")" "$(client_port "$n")" "${pids[$n]}" "$dir/server.$n/log"
done
cat <<X

Clients log in by Kerberos. Servers log in to each other by Kerberos through TLS. The root is alice's; bob may read it.

  export KRB5_CONFIG=$dir/krb5.conf

  shell, by keytab   $ox shell -server $servers ${alice[*]} create /hello world
  shell, by ticket   kinit bob < $dir/bob.password; $ox shell -server $servers --kerberos ls /
  zkCli, by keytab   JVMFLAGS="-Djava.security.krb5.conf=$dir/krb5.conf -Djava.security.auth.login.config=$dir/client-keytab.jaas -Dzookeeper.server.principal=zookeeper/localhost@$realm" zkCli.sh -server $servers
  zkCli, by ticket   the same with $dir/client-ticket.jaas, after kinit bob
  through TLS        $ox shell -server localhost:$(key_of 1 secureClientPort) -Dzookeeper.client.secure=true -Dzookeeper.ssl.trustStore.location=$dir/tls/ca.pem ${alice[*]} whoami
  without a login    $ox shell -server $servers ls /          (is refused)
  console            http://127.0.0.1:$(key_of 1 admin.serverPort)/
  metrics            curl http://127.0.0.1:$(key_of 1 metricsProvider.httpPort)/metrics
  backup             $ox backup --config $dir/server.1/zoo.cfg --to $dir/backup
  check              $ox check $dir/server.1/zoo.cfg --against $servers ${alice[*]}
  status             $ox status $dir/server.1/zoo.cfg
  kill the leader    kill -9 <its pid>, then the status of the others; start it again with
                     $ox serve $dir/server.<n>/zoo.cfg

X

# A member that ends, by kill -9 say, does not end the others; the last one and the KDC do.
while [ ${#pids[@]} -gt 0 ]; do
    ended=
    code=0
    wait -n -p ended "${pids[@]}" "$kdc_pid" || code=$?
    [ "$ended" != "$kdc_pid" ] || { echo "The KDC has ended (exit code $code)."; exit 1; }
    for n in $members; do
        if [ "${pids[$n]:-}" = "$ended" ]; then
            unset "pids[$n]"
            echo "server.$n has ended (exit code $code); the others go on. Again: $ox serve $dir/server.$n/zoo.cfg"
        fi
    done
done
