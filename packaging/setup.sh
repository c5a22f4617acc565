#!/bin/bash
# Installs what a fresh Debian 12 or EL9 machine lacks to build and test Oxkeeper.
#
#   packaging/setup.sh build   compiler and libraries (what `make run` needs)
#   packaging/setup.sh test    the real peers: JDK, Apache ZooKeeper, kazoo, Curator, MIT Kerberos
#   packaging/setup.sh all     both (default)
#
# Without root it installs nothing system-wide: it prints the one command to run, and goes on with what
# needs no root. What cannot be had is written to not-had.txt in the cache, one `name<TAB>reason` a line;
# the tests that would need it print "not run", and never count as passed. Run again whenever you like:
# what is there is left alone. With OXKEEPER_OFFLINE=1 nothing is fetched.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

MODE=${1:-all}
CACHE=${OXKEEPER_CACHE:-$HOME/.cache/oxkeeper}
NOT_HAD=$CACHE/not-had.txt
MIN_RUST=1.88
KAZOO=2.11.0
failed=0

say()     { printf '[setup] %s\n' "$*"; }
not_had() { printf '%s\t%s\n' "$1" "$2" >> "$NOT_HAD"; say "not had: $1 ($2)"; }
has()     { command -v "$1" > /dev/null 2>&1; }
pkgs=()   # system packages to install
want()    { pkgs+=("$@"); }

case $MODE in build|test|all) ;; *) sed -n '4,6p' "$0" | cut -c3-; exit 2 ;; esac
mkdir -p "$CACHE/java" || exit 1
exec 9> "$CACHE/.lock"
flock -n 9 || { say "another set-up is running, waiting for it"; flock 9; }
# The list describes the tests' peers; a set-up for building alone keeps the one there is.
[ "$MODE" = build ] || : > "$NOT_HAD"

if has apt-get; then FAMILY=debian; elif has dnf; then FAMILY=el; else FAMILY=other; fi
pick() { case $FAMILY in debian) want $1 ;; el) want $2 ;; other) want "$1" ;; esac; }

# --- what is missing -----------------------------------------------------------------------------

libclang() { compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' > /dev/null || compgen -G '/usr/lib64/libclang*.so*' > /dev/null ||
             compgen -G '/usr/lib/*-linux-gnu/libclang*.so*' > /dev/null; }
lacking_for_build() {
    has cc                                       || pick 'gcc libc6-dev' 'gcc glibc-devel'
    has make                                     || pick make make
    has pkg-config                               || pick pkg-config pkgconf-pkg-config
    libclang                                     || pick libclang-dev clang-libs
    [ -e /usr/include/gssapi/gssapi_krb5.h ]     || pick libkrb5-dev krb5-devel
    [ -e /usr/include/openssl/ssl.h ]            || pick libssl-dev openssl-devel
    if [ $FAMILY = el ]; then
        has cargo || want rust-toolset rustfmt clippy
    fi
}
lacking_for_tests() {
    has javac                                    || pick default-jdk-headless java-17-openjdk-devel
    has mvn                                      || pick maven maven
    has krb5kdc || [ -x /usr/sbin/krb5kdc ]      || pick 'krb5-kdc krb5-admin-server' krb5-server
    has kinit                                    || pick krb5-user krb5-workstation
    has curl                                     || pick curl curl
    has nc                                       || pick netcat-openbsd nmap-ncat
    python3 -c 'import ensurepip, venv' 2> /dev/null || pick python3-venv python3
    # The ring of packages: the unit's score, its sandbox, the packages themselves in fresh roots.
    has systemd-analyze                          || pick systemd systemd
    has bwrap                                    || pick bubblewrap bubblewrap
    has man                                      || pick man-db man-db
    if [ $FAMILY = debian ]; then
        has chromium                             || want chromium
        has rpm                                  || want rpm
        has lintian                              || want lintian
        has debootstrap || [ -x /usr/sbin/debootstrap ] || want debootstrap
        [ -x /usr/share/zookeeper/bin/zkCli.sh ] || want zookeeper
        [ -x /usr/lib/zookeeper/bin/cli_mt ]     || want zookeeper-bin
        has cmake                                || want cmake
        has g++                                  || want g++
        [ -e /usr/include/sasl/sasl.h ]          || want libsasl2-dev
        compgen -G '/usr/lib/*/sasl2/libgssapiv2.so*' > /dev/null || want libsasl2-modules-gssapi-mit
        compgen -G '/usr/lib/*/sasl2/libdigestmd5.so*' > /dev/null || want libsasl2-modules
    fi
}

install_packages() {
    [ ${#pkgs[@]} -gt 0 ] || return 0
    local install
    case $FAMILY in
        debian) install="apt-get update && apt-get install -y --no-install-recommends ${pkgs[*]}" ;;
        el)     install="dnf install -y ${pkgs[*]}" ;;
        *)      say "unknown distribution; please install: ${pkgs[*]}"; return 1 ;;
    esac
    if [ "$(id -u)" != 0 ]; then
        say "missing: ${pkgs[*]}"
        say "run this one command, then this script again:"
        printf '\n    sudo sh -c "%s"\n\n' "$install"
        return 1
    fi
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || { say "offline, not installed: ${pkgs[*]}"; return 1; }
    say "installing: ${pkgs[*]}"
    DEBIAN_FRONTEND=noninteractive sh -c "$install" < /dev/null > "$CACHE/packages.log" 2>&1 && return 0
    say "the package manager failed; its output is in $CACHE/packages.log:"
    tail -n 3 "$CACHE/packages.log"
    return 1
}

check_rust() {
    local have
    have=$(cargo --version 2> /dev/null | cut -d' ' -f2)
    if [ -n "$have" ] && [ "$(printf '%s\n%s\n' $MIN_RUST "$have" | sort -V | head -n 1)" = $MIN_RUST ]; then
        return 0
    fi
    say "Rust $MIN_RUST or newer is needed, found: ${have:-none}."
    say "Install it with rustup (the distribution's rustup package, or the installer on Rust's web site):"
    printf '\n    rustup toolchain install stable --component rustfmt --component clippy\n\n'
    return 1
}

# --- Java peers: fetched by Maven into the cache, a directory a set ---------------------------------

# java_set NAME group:artifact:version[:classifier]...   (a leading `!` leaves ZooKeeper itself out, a leading `=`
# everything that the jar depends on)
java_set() {
    local name=$1 dir=$CACHE/java/$1 want_list; shift
    want_list=$(printf '%s\n' "$@")
    [ "$(cat "$dir/.complete" 2> /dev/null)" = "$want_list" ] && return 0
    has mvn && has java || { not_had "$name" "no Maven or no Java on this machine"; return 0; }
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || { not_had "$name" "offline"; return 0; }
    say "fetching $name"
    local tmp
    tmp=$(mktemp -d "$CACHE/java/.fetch.XXXXXX") || return 1
    pom "$@" > "$tmp/pom.xml"
    if timeout 400 mvn -B -q -f "$tmp/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
        "-DoutputDirectory=$tmp/lib" < /dev/null > "$tmp/log" 2>&1 && [ -d "$tmp/lib" ]; then
        printf '%s\n' "$@" > "$tmp/lib/.complete"
        rm -rf "$dir" && mv "$tmp/lib" "$dir"
    else
        cp "$tmp/log" "$CACHE/$name.log"
        not_had "$name" "Maven could not fetch it, see $CACHE/$name.log"
    fi
    rm -rf "$tmp"
}
pom() {
    local d g a v c only without
    echo '<project><modelVersion>4.0.0</modelVersion><groupId>oxkeeper</groupId><artifactId>peers</artifactId>'
    echo '<version>1</version><packaging>pom</packaging><dependencies>'
    for d in "$@"; do
        only=${d#[=!]}
        IFS=: read -r g a v c <<< "$only"
        echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId><version>$v</version>"
        [ -z "$c" ] || echo "<classifier>$c</classifier>"
        case $d in
            !*) without='<groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId>' ;;
            =*) without='<groupId>*</groupId><artifactId>*</artifactId>' ;;
            *)  without= ;;
        esac
        [ -z "$without" ] || echo "<exclusions><exclusion>$without</exclusion></exclusions>"
        echo '</dependency>'
    done
    echo '</dependencies></project>'
}

# What a 3.8 or 3.9 server and its zkCli need beside their declared dependencies (Apache's tarball has them too).
PROVIDED="commons-cli:commons-cli:1.5.0 ch.qos.logback:logback-classic:1.3.15
    org.eclipse.jetty:jetty-server:9.4.58.v20250814 org.eclipse.jetty:jetty-servlet:9.4.58.v20250814
    com.fasterxml.jackson.core:jackson-databind:2.15.2 io.dropwizard.metrics:metrics-core:4.1.12.1
    org.xerial.snappy:snappy-java:1.1.10.5"
PROVIDED_OLD="commons-cli:commons-cli:1.5.0 org.slf4j:slf4j-reload4j:1.7.36 io.dropwizard.metrics:metrics-core:4.1.12.1
    org.eclipse.jetty:jetty-server:9.4.58.v20250814 org.eclipse.jetty:jetty-servlet:9.4.58.v20250814
    com.fasterxml.jackson.core:jackson-databind:2.15.2"
java_peers() {
    # The Prometheus provider of 3.9.5 is not in the repository; 3.9.4's is the same code.
    java_set zookeeper-3.9.5 org.apache.zookeeper:zookeeper:3.9.5 $PROVIDED org.jline:jline:3.25.1 \
        '!org.apache.zookeeper:zookeeper-prometheus-metrics:3.9.4'
    java_set zookeeper-3.8.6 org.apache.zookeeper:zookeeper:3.8.6 $PROVIDED jline:jline:2.14.6
    # Members of mixed ensembles: the last of each line.
    java_set zookeeper-3.7.2 org.apache.zookeeper:zookeeper:3.7.2 $PROVIDED_OLD org.xerial.snappy:snappy-java:1.1.10.5
    java_set zookeeper-3.6.4 org.apache.zookeeper:zookeeper:3.6.4 $PROVIDED_OLD org.xerial.snappy:snappy-java:1.1.10.5
    java_set zookeeper-3.5.10 org.apache.zookeeper:zookeeper:3.5.10 $PROVIDED_OLD
    # 3.4.14's client cannot resolve addresses on Java 14 and newer; 3.4.12 is the last one that can.
    java_set zookeeper-3.4.14 org.apache.zookeeper:zookeeper:3.4.14
    java_set zookeeper-3.4.12 org.apache.zookeeper:zookeeper:3.4.12
    java_set curator-5.9.0 org.apache.curator:curator-recipes:5.9.0 org.apache.curator:curator-recipes:5.9.0:tests \
        org.apache.curator:curator-framework:5.9.0:tests org.apache.curator:curator-test:5.9.0 \
        org.junit.platform:junit-platform-console-standalone:1.6.3 org.awaitility:awaitility:4.1.1 \
        org.assertj:assertj-core:3.23.1 org.apache.commons:commons-math:2.2 org.slf4j:slf4j-simple:1.7.25 \
        com.fasterxml.jackson.dataformat:jackson-dataformat-yaml:2.15.2
    # Hadoop's elector and YARN's ResourceManager; HBase's watcher on top of them; a broker of the last Kafka with ZooKeeper.
    java_set hadoop-3.4.1 org.apache.hadoop:hadoop-common:3.4.1 \
        org.apache.hadoop:hadoop-yarn-server-resourcemanager:3.4.1 com.fasterxml.jackson.core:jackson-core:2.12.7
    java_set hbase-2.5.11 $(printf '=org.apache.hbase:%s:2.5.11-hadoop3 ' hbase-zookeeper hbase-client hbase-common \
        hbase-protocol-shaded hbase-logging) \
        $(printf '=org.apache.hbase.thirdparty:%s:4.1.9 ' hbase-shaded-miscellaneous hbase-shaded-protobuf hbase-unsafe) \
        $(printf '=io.opentelemetry:%s ' opentelemetry-api:1.15.0 opentelemetry-context:1.15.0 \
            opentelemetry-semconv:1.15.0-alpha)
    java_set kafka-3.9.1 org.apache.kafka:kafka_2.13:3.9.1 org.slf4j:slf4j-reload4j:1.7.36
    mkdir -p "$CACHE/java/conf"
    cat > "$CACHE/java/conf/logback.xml" <<'X'
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} [%thread] %-5level %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="${oxkeeper.log:-INFO}"><appender-ref ref="OUT"/></root>
</configuration>
X
    cat > "$CACHE/java/conf/log4j.properties" <<'X'
oxkeeper.log=INFO
log4j.rootLogger=${oxkeeper.log}, OUT
log4j.appender.OUT=org.apache.log4j.ConsoleAppender
log4j.appender.OUT.layout=org.apache.log4j.PatternLayout
log4j.appender.OUT.layout.ConversionPattern=%d{HH:mm:ss,SSS} [%t] %-5p %c{1} - %m%n
X
}

# --- kazoo: library and its upstream tests, in a private environment ---------------------------------

kazoo() {
    local req=tests/clients/kazoo/requirements.txt
    cmp -s "$req" "$CACHE/venv/.complete" && [ -d "$CACHE/kazoo-$KAZOO/kazoo/tests" ] && return 0
    python3 -c 'import ensurepip, venv' 2> /dev/null || { not_had kazoo "no python3 with venv on this machine"; return 0; }
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || { not_had kazoo "offline"; return 0; }
    say "fetching kazoo $KAZOO and its tests"
    local tmp
    tmp=$(mktemp -d "$CACHE/.kazoo.XXXXXX") || return 1
    if { rm -rf "$CACHE/venv" && python3 -m venv "$CACHE/venv" &&
         "$CACHE/venv/bin/pip" install -q --disable-pip-version-check -r "$req" &&
         "$CACHE/venv/bin/pip" download -q --disable-pip-version-check --no-deps --no-binary :all: -d "$tmp" "kazoo==$KAZOO" &&
         rm -rf "$CACHE/kazoo-$KAZOO" && tar xzf "$tmp"/*.tar.gz -C "$CACHE"; } < /dev/null > "$CACHE/kazoo.log" 2>&1
    then cp "$req" "$CACHE/venv/.complete"
    else not_had kazoo "pip could not fetch it, see $CACHE/kazoo.log"
    fi
    rm -rf "$tmp"
}

# --- Prometheus and promtool: Debian's package, unpacked beside the system and never started ---------------

prometheus_tools() {
    local tmp
    { has promtool && has prometheus; } || [ -x "$CACHE/prometheus/prometheus" ] && return 0
    [ $FAMILY = debian ] || { not_had prometheus "neither prometheus nor promtool is on this machine"; return 0; }
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || { not_had prometheus "offline"; return 0; }
    say "fetching prometheus"
    tmp=$(mktemp -d "$CACHE/.prometheus.XXXXXX") || return 1
    if (cd "$tmp" && timeout 300 apt-get -q download prometheus && dpkg -x prometheus_*.deb all &&
        mkdir bin && cp all/usr/bin/prometheus all/usr/bin/promtool bin/) < /dev/null > "$CACHE/prometheus.log" 2>&1
    then rm -rf "$CACHE/prometheus" && mv "$tmp/bin" "$CACHE/prometheus"
    else not_had prometheus "its package could not be fetched, see $CACHE/prometheus.log"
    fi
    rm -rf "$tmp"
}

# --- the C client with SASL: Debian's library is built without, so its source is built once more ----------

# Where Debian's sources are, after the machine's own list of binaries; everything apt writes stays in DIR.
source_of() { # source_of DIR PACKAGE
    local dir=$1 file
    mkdir -p "$dir/parts" "$dir/lists/partial" "$dir/cache/archives/partial"
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
        case $file in
            *.list)    sed -n 's/^deb /deb-src /p' "$file" > "$dir/parts/${file##*/}" ;;
            *.sources) sed 's/^Types:.*/Types: deb-src/' "$file" > "$dir/parts/${file##*/}" ;;
        esac
    done
    local apt=(timeout 400 apt-get -q -o Dir::Etc::SourceList="$dir/parts/none" -o Dir::Etc::SourceParts="$dir/parts"
        -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache")
    "${apt[@]}" update && (cd "$dir" && "${apt[@]}" source --download-only "$2")
}
build_c_sasl() { # build_c_sasl DIR: DIR/login
    local dir=$1 client
    source_of "$dir" zookeeper && tar xf "$dir"/zookeeper_*.orig.tar.?z -C "$dir" || return 1
    client=$(echo "$dir"/*/zookeeper-client/zookeeper-client-c)
    mkdir -p "$client/generated" &&
        (cd "$client/generated" && java -cp "$CACHE/java/zookeeper-3.8.6/*" org.apache.jute.compiler.generated.Rcc \
            -l c ../../../zookeeper-jute/src/main/resources/zookeeper.jute) &&
        cmake -S "$client" -B "$dir/build" -DWANT_CPPUNIT=OFF -DWITH_OPENSSL=OFF -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$dir/build" --target zookeeper &&
        cc -O1 -DHAVE_CYRUS_SASL_H -DTHREADED -I"$client/include" -I"$client/generated" -I"$dir/build/include" \
            -o "$dir/login" tests/clients/sasl/login.c "$dir/build/libzookeeper.a" "$dir/build/libhashtable.a" \
            -lsasl2 -lpthread -lm
}
c_sasl() {
    local tmp tool
    cmp -s tests/clients/sasl/login.c "$CACHE/c-sasl/.complete" && [ -x "$CACHE/c-sasl/login" ] && return 0
    [ $FAMILY = debian ] || { not_had c-sasl "its source is fetched as a Debian source package"; return 0; }
    for tool in cc cmake g++ java; do
        has $tool || { not_had c-sasl "no $tool on this machine"; return 0; }
    done
    [ -e /usr/include/sasl/sasl.h ] || { not_had c-sasl "Cyrus SASL's headers are not installed"; return 0; }
    [ -e "$CACHE/java/zookeeper-3.8.6/.complete" ] || { not_had c-sasl "no jute compiler (zookeeper-3.8.6)"; return 0; }
    [ "${OXKEEPER_OFFLINE:-}" != 1 ] || { not_had c-sasl "offline"; return 0; }
    say "building the C client with SASL"
    tmp=$(mktemp -d "$CACHE/.c-sasl.XXXXXX") || return 1
    if build_c_sasl "$tmp" < /dev/null > "$CACHE/c-sasl.log" 2>&1; then
        mkdir -p "$CACHE/c-sasl" && cp "$tmp/login" "$CACHE/c-sasl/" &&
            cp tests/clients/sasl/login.c "$CACHE/c-sasl/.complete"
    else
        not_had c-sasl "it could not be fetched or built, see $CACHE/c-sasl.log"
    fi
    rm -rf "$tmp"
}

# --- go ----------------------------------------------------------------------------------------

[ "$MODE" = test ] || lacking_for_build
needed_to_build=${#pkgs[@]}
[ "$MODE" = build ] || lacking_for_tests
install_packages || { [ "$needed_to_build" = 0 ] || failed=1; }
[ "$MODE" = test ] || check_rust || failed=1

if [ "$MODE" != build ]; then
    java_peers
    kazoo
    c_sasl
    prometheus_tools
    [ -x /usr/share/zookeeper/bin/zkCli.sh ] || not_had debian-zkcli "Debian's zookeeper package is not installed"
    [ -x /usr/lib/zookeeper/bin/cli_mt ]     || not_had c-client "Debian's zookeeper-bin package is not installed"
    has krb5kdc || [ -x /usr/sbin/krb5kdc ]  || not_had kdc "MIT Kerberos' KDC is not installed"
    has kinit                                || not_had kinit "MIT Kerberos' client tools are not installed"
    has javac                                || not_had javac "no JDK is installed"
    [ -s "$NOT_HAD" ] && say "the tests of what was not had will say \"not run\""
fi
[ $failed = 0 ] && say "ready ($MODE; peers in $CACHE)"
exit $failed
