#!/bin/bash
# run-secure.sh <directory> <oxkeeper>: a standalone server that lets nobody in without Kerberos, with a KDC of
# its own, both in the foreground and on loopback alone. Realm, certificate authority, keytabs and configuration
# are made in the directory on the first start and then left alone. PORT, TLS_PORT and KDC_PORT set the
# ports of that first start. Ctrl-C ends both. RUN_SECURE=make only makes the files.
set -euo pipefail
dir=$1 ox=$2
realm=OXKEEPER.TEST
export PATH=$PATH:/usr/sbin:/sbin

missing=()
for tool in krb5kdc kdb5_util kadmin.local kinit openssl; do
    command -v "$tool" > /dev/null || missing+=("$tool")
done
if [ ${#missing[@]} -gt 0 ]; then
    echo "This needs a KDC and Kerberos' tools; missing here: ${missing[*]}. Install them with this one command:"
    echo
    if command -v apt-get > /dev/null; then
        echo "    sudo apt-get install -y --no-install-recommends krb5-kdc krb5-admin-server krb5-user openssl"
    else
        echo "    sudo dnf install -y krb5-server krb5-workstation openssl"
    fi
    echo
    echo "or start a server without Kerberos: make run-standalone"
    exit 1
fi

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
chmod 700 "$dir"
umask 077
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc/kdc.conf

make_realm() {
    local port=$1 new=$dir/kdc.new reverse
    rm -rf "$new" && mkdir -p "$new" "$dir/keytabs"
    cat > "$dir/krb5.conf" <<X1
# Written by \`make run\`: the private realm of this directory.
[libdefaults]
  default_realm = $realm
  dns_lookup_realm = false
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
  ticket_lifetime = 10h
  renew_lifetime = 7d
  default_ccache_name = FILE:$dir/ccache
[realms]
  $realm = {
    kdc = 127.0.0.1:$port
  }
[domain_realm]
  localhost = $realm
X1
    cat > "$new/kdc.conf" <<X1
[kdcdefaults]
  kdc_listen = 127.0.0.1:$port
  kdc_tcp_listen = 127.0.0.1:$port
[realms]
  $realm = {
    database_name = $dir/kdc/principal
    key_stash_file = $dir/kdc/stash
    acl_file = $dir/kdc/kadm5.acl
    max_life = 24h
    max_renewable_life = 7d
    supported_enctypes = aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal
  }
[logging]
  kdc = FILE:$dir/kdc/kdc.log
  default = FILE:$dir/kdc/kdc.log
X1
    : > "$new/kadm5.acl"
    mv "$new" "$dir/kdc"
    rm -f "$dir"/keytabs/*.keytab
    openssl rand -base64 24 > "$dir/kdc/master.pw"
    openssl rand -base64 12 > "$dir/bob.password"
    # The database's tools read a password twice from their input: none stands in a command line.
    cat "$dir/kdc/master.pw" "$dir/kdc/master.pw" | kdb5_util -r "$realm" create -s > "$dir/kdc/create.log" 2>&1 ||
        { cat "$dir/kdc/create.log"; exit 1; }
    reverse=$(getent hosts 127.0.0.1 | awk '{print $2; exit}')
    {
        for host in localhost 127.0.0.1 ${reverse:-localhost}; do
            echo "addprinc -randkey zookeeper/$host"
            echo "ktadd -k $dir/keytabs/zookeeper.keytab zookeeper/$host"
        done | awk '!seen[$0]++'
        echo "addprinc -randkey alice"
        echo "ktadd -k $dir/keytabs/alice.keytab alice"
        echo "addprinc -pw \"$(cat "$dir/bob.password")\" bob"
    } | kadmin.local -r "$realm" > "$dir/kdc/create.log" 2>&1
    [ -s "$dir/keytabs/alice.keytab" ] || { cat "$dir/kdc/create.log"; exit 1; }
}

make_certificates() {
    local tls=$dir/tls
    mkdir -p "$tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/O=Oxkeeper/CN=private CA of make run" \
        -keyout "$tls/ca.key" -out "$tls/ca.pem" 2> "$tls/log"
    openssl req -newkey rsa:2048 -nodes -subj "/O=Oxkeeper/CN=localhost" -keyout "$tls/server.key" \
        -out "$tls/server.csr" 2>> "$tls/log"
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' > "$tls/ext"
    openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 825 \
        -extfile "$tls/ext" -out "$tls/server.crt" 2>> "$tls/log"
    cat "$tls/server.crt" "$tls/ca.pem" "$tls/server.key" > "$tls/server.pem"
    rm -f "$tls/server.csr" "$tls/ext"
}

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
# Written by \`make run\`. Any zoo.cfg of ZooKeeper 3.9 works as well.
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

free_port() {
    local port
    for port in $(seq "$1" $(($1 + 50))); do
        (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
    done
    echo "no free port from $1 to $(($1 + 50))" >&2
    exit 1
}

[ -e "$dir/kdc/stash" ] || { echo "Making a private realm in $dir ..."; rm -rf "$dir/kdc"; make_realm "${KDC_PORT:-$(free_port 18888)}"; }
[ -e "$dir/tls/server.pem" ] || make_certificates
[ -e "$dir/secure.cfg" ] || make_configuration "${PORT:-2181}" "$(free_port "${TLS_PORT:-2281}")"
[ "${RUN_SECURE:-}" != make ] || exit 0

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

krb5kdc -n -r "$realm" > "$dir/kdc/out.log" 2>&1 &
children+=($!)
for _ in $(seq 200); do
    (: < "/dev/tcp/127.0.0.1/$kdc_port") 2> /dev/null && break
    kill -0 "${children[0]}" 2> /dev/null || { echo "the KDC did not start:"; cat "$dir/kdc/out.log"; exit 1; }
    sleep 0.05
done

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
