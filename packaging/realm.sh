# realm.sh: what `make run` and its standalone sibling share, to be sourced: a private Kerberos realm with its KDC and a
# certificate authority, all in $dir and on loopback alone. Needs $dir (absolute), $realm and $ox.
export PATH=$PATH:/usr/sbin:/sbin

need_kerberos() {
    local missing=() tool
    for tool in krb5kdc kdb5_util kadmin.local kinit openssl; do
        command -v "$tool" > /dev/null || missing+=("$tool")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
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
}

enter_directory() {
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    chmod 700 "$dir"
    umask 077
    export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc/kdc.conf
}

make_realm_once() { # make_realm_once <services>
    [ ! -e "$dir/kdc/stash" ] || return 0
    echo "Making a private realm in $dir ..."
    rm -rf "$dir/kdc"
    make_realm "${KDC_PORT:-$(free_port 18888)}" "$1"
}

# make_realm <kdc port> <services>: the services get keys for every name of this machine's loopback.
make_realm() {
    local port=$1 services=$2 new=$dir/kdc.new reverse service host
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
        for service in $services; do
            for host in localhost 127.0.0.1 ${reverse:-localhost}; do
                echo "addprinc -randkey $service/$host"
                echo "ktadd -k $dir/keytabs/$service.keytab $service/$host"
            done
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

free_port() {
    local port
    for port in $(seq "$1" $(($1 + 50))); do
        (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
    done
    echo "no free port from $1 to $(($1 + 50))" >&2
    exit 1
}

start_kdc() { # sets kdc_pid
    local port
    port=$(sed -n 's/.*kdc_tcp_listen = 127.0.0.1://p' "$dir/kdc/kdc.conf")
    krb5kdc -n -r "$realm" > "$dir/kdc/out.log" 2>&1 &
    kdc_pid=$!
    for _ in $(seq 200); do
        (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return 0
        kill -0 "$kdc_pid" 2> /dev/null || { echo "the KDC did not start:"; cat "$dir/kdc/out.log"; exit 1; }
        sleep 0.05
    done
    echo "the KDC does not answer on 127.0.0.1:$port"
    exit 1
}
