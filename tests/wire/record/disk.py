"""Small data directories that real servers wrote, into tests/data/disk/<name>/, each with Java's own listing of its files.

Logs are cut behind their last record (their padding is zeros), snapshots are kept as they are.
"""

import pathlib
import re
import shutil
import subprocess
from raw import ACLS, D, END, I, L, OPEN, PART, S, Session
from servers import SUPER, directory, java, server

DATA = pathlib.Path(__file__).resolve().parents[2] / 'data' / 'disk'


def old(port):
    """What every version knows."""
    s = Session(port)
    s.ask(100, I(0) + S('digest') + D(b'disk:test'), xid=-4)
    s.ask(1, S('/a') + D(b'data') + OPEN + I(0))
    s.ask(1, S('/a/null') + D(None) + OPEN + I(0))
    s.ask(1, S('/a/empty') + D(b'') + OPEN + I(0))
    s.ask(1, S('/\u00e9\u4e2d') + D(bytes(range(256))) + OPEN + I(0))
    s.ask(1, S('/a/seq-') + D(b's') + OPEN + I(2))
    s.ask(1, S('/mine') + D(b'm') + ACLS((31, 'auth', '')) + I(0))
    s.ask(1, S('/list') + D(b'l') + ACLS((1, 'world', 'anyone'), (31, 'ip', '127.0.0.1'), (7, 'digest', 'a:b')) + I(0))
    s.ask(1, S('/a/eph') + D(b'e') + OPEN + I(1))
    s.ask(5, S('/a') + D(b'changed') + I(0))
    s.ask(7, S('/list') + ACLS((31, 'world', 'anyone')) + I(-1))
    s.ask(1, S('/gone') + D(b'g') + OPEN + I(0))
    s.ask(2, S('/gone') + I(-1))
    s.ask(2, S('/none') + I(-1))
    s.ask(14, PART(13) + S('/a') + I(1) + PART(1) + S('/a/m') + D(b'm') + OPEN + I(0) + PART(5) + S('/a/m') + D(b'n') + I(0)
          + PART(1) + S('/a/m2') + D(b'm') + OPEN + I(0) + PART(2) + S('/a/m2') + I(-1) + END)
    s.ask(14, PART(5) + S('/a') + D(b'x') + I(-1) + PART(2) + S('/none') + I(-1) + PART(2) + S('/a') + I(-1) + END)
    return s


def young(s):
    """What came with 3.5."""
    s.ask(15, S('/two') + D(b'2') + OPEN + I(0))
    s.ask(19, S('/container') + D(b'c') + OPEN + I(4))
    s.ask(1, S('/container/child') + D(b'c') + OPEN + I(0))
    s.ask(21, S('/ttl') + D(b't') + OPEN + I(5) + L(3600000))
    s.ask(14, PART(19) + S('/con2') + D(b'c') + OPEN + I(4) + PART(21) + S('/ttl2-') + D(None) + OPEN + I(6) + L(1 << 39)
          + PART(15) + S('/two/eph') + D(b'') + OPEN + I(1) + END)


def quota(s):
    s.ask(1, S('/zookeeper/quota/a') + D(b'') + OPEN + I(0))
    s.ask(1, S('/zookeeper/quota/a/zookeeper_limits') + D(b'count=100,bytes=1000') + OPEN + I(0))
    s.ask(1, S('/zookeeper/quota/a/zookeeper_stats') + D(b'count=0,bytes=0') + OPEN + I(0))


def write(port, version):
    s = old(port)
    if version != '3.4.14':
        young(s)
    quota(s)
    other = Session(port)
    other.ask(1, S('/a/eph2') + D(b'other') + OPEN + I(1))
    other.close()
    return s


def listing(version, path, snapshot):
    tool = 'SnapshotFormatter' if snapshot else 'LogFormatter'
    if not snapshot and version != '3.4.14':
        command = ['org.apache.zookeeper.server.persistence.TxnLogToolkit', '-v', '-d', path]
    else:
        command = ['org.apache.zookeeper.server.' + tool, *(['-d'] if snapshot and version != '3.4.14' else []), path]
    flags = ['-Duser.timezone=UTC', '-Duser.language=en', '-Dzookeeper.extendedTypesEnabled=true']
    command = java(version, *flags, *map(str, command))
    done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    lines = [line for line in done.stdout.splitlines() if not re.match(r'.*(INFO|WARN|Formatter|Toolkit)', line)]
    clean = '\n'.join(lines).replace(str(path.parent) + '/', '') + '\n'
    return re.sub(r'[^\n -~]', '?', clean)


def directory_of(name, version, *flags):
    target = DATA / name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with directory() as d:
        flags = ('-Dzookeeper.preAllocSize=16', '-Dzookeeper.extendedTypesEnabled=true', SUPER, *flags)
        with server(version, d / 'data', *flags) as port:
            write(port, version)
        # The second start makes a snapshot, and its log begins with the next transaction.
        with server(version, d / 'data', *flags) as port:
            s = Session(port)
            s.ask(5, S('/a') + D(b'after the snapshot') + I(-1))
        for path in sorted((d / 'data' / 'version-2').iterdir()):
            snapshot, content = path.name.startswith('snapshot'), path.read_bytes()
            if snapshot and path.name.partition('.')[2].split('.')[0] == '0':
                continue
            (target / path.name).write_bytes(content if snapshot else content.rstrip(b'\0'))
            if snapshot or path.name.startswith('log'):
                (target / (path.name + '.txt')).write_text(listing(version, path, snapshot))
    print(name, {p.name: p.stat().st_size for p in sorted(target.iterdir())})


def everything():
    directory_of('java-3.9.5', '3.9.5')
    directory_of('java-3.9.5-gz', '3.9.5', '-Dzookeeper.snapshot.compression.method=gz')
    directory_of('java-3.9.5-snappy', '3.9.5', '-Dzookeeper.snapshot.compression.method=snappy')
    directory_of('java-3.9.5-no-digest', '3.9.5', '-Dzookeeper.digest.enabled=false')
    directory_of('java-3.8.6', '3.8.6')
    directory_of('java-3.9.5-rolled', '3.9.5', '-Dzookeeper.snapCount=12')
    directory_of('java-3.4.14', '3.4.14', '-Dzookeeper.snapCount=12')
