"""First inputs of the fuzz targets that need some: python3 seeds.py adds them to corpus/<target>/.

Frames, logs and snapshots come from the recordings of real clients and servers in tests/data; texts are written here.
"""

import base64
import hashlib
import io
import itertools
import json
import pathlib
import struct
import tarfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / 'data'


def add(target, *inputs):
    folder = HERE / 'corpus' / target
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        data = data.encode() if isinstance(data, str) else data
        (folder / hashlib.sha1(data).hexdigest()[:16]).write_bytes(data)


def recorded():
    """Direction, name and body of every recorded frame."""
    for path in sorted((DATA / 'wire').glob('*.txt')):
        head, data = None, b''
        for line in path.read_text().splitlines() + ['0 > end']:
            if line.startswith('    '):
                data += bytes.fromhex(line.strip())
            elif not line.startswith('#') and not line.endswith('< closed'):
                if head:
                    yield head[1], head[2], data
                head, data = line.split(' ', 3), b''


def frames():
    by_kind = {}
    for direction, name, frame in recorded():
        by_kind.setdefault((direction, name), {})[len(frame)] = frame
    streams = []
    for (direction, name), found in by_kind.items():
        some = [frame[4:] for frame in list(found.values())[:6]]
        streams.append(b''.join(list(found.values())[:3]))
        if name in ('connect', 'connected'):
            add('connect', *some, *[body[:n] for body in some[:1] for n in (0, 4, 16, 20, 23, 27, 30, 36)])
        elif direction == '>':
            add('request', *some)
        else:
            add('reply', *some)
            if name.startswith('multi'):
                add('results', *[frame[4:][16:] for frame in found.values()])
    for size, stream in zip(itertools.cycle((1, 3, 7, 20, 255)), streams):
        add('frames', bytes([size]) + stream)
    huge, negative = struct.pack('>i', 201), struct.pack('>i', -1)
    add('frames', b'\x05' + streams[0] + huge, b'\x01' + streams[1] + negative, b'\x02\0\0\0\0\0\0\0\0', b'')


def results():
    head = lambda kind, done, err: struct.pack('>ibi', kind, done, err)
    end, text = head(-1, 1, -1), lambda s: struct.pack('>i', len(s)) + s
    stat = bytes(range(68))
    parts = {
        'create': head(1, 0, 0) + text(b'/a'), 'create2': head(15, 0, 0) + text(b'/a') + stat, 'delete': head(2, 0, 0),
        'set': head(5, 0, 0) + stat, 'check': head(13, 0, 0), 'error': head(-1, 0, -101) + struct.pack('>i', -101),
        'data': head(4, 0, 0) + text(b'x') + stat, 'null': head(4, 0, 0) + struct.pack('>i', -1) + stat,
        'children': head(8, 0, 0) + struct.pack('>i', 2) + text(b'a') + text(b'b'),
    }
    for a, b in itertools.product(parts.values(), repeat=2):
        add('results', a + b + end)


def entries(log):
    at = 16
    while at + 12 < len(log):
        length = struct.unpack('>i', log[at + 8:at + 12])[0]
        yield log[at + 12:at + 12 + length]
        at += 13 + length


def part(kind, zxid, data):
    return struct.pack('>BBH', kind, zxid, len(data)) + data


def disk():
    for folder in sorted((DATA / 'disk').iterdir()):
        logs, snapshots = [], []
        for path in sorted(p for p in folder.iterdir() if p.suffix != '.txt'):
            data, zxid = path.read_bytes(), int(path.name.split('.')[1], 16)
            if path.name.startswith('log'):
                own = list(entries(data))
                add('txn', *own)
                add('log', data, data + bytes(50), data[:len(data) * 2 // 3], data[:16], data[:300])
                for n in range(0, len(own), 4):
                    logs.append((zxid + n, b''.join(bytes([len(e)]) + e for e in own[n:n + 4] if len(e) < 256)))
                    framed = b''.join(struct.pack('>qi', zlib.adler32(e), len(e)) + e + b'B' for e in own[n:n + 4])
                    add('log', data[:16] + framed)
                add('datadir', part(3, zxid, data))
            else:
                kind = {'gz': 1, 'snappy': 2}.get(path.suffix[1:], 0)
                cut = data[:len(data) // 2] + data[-5:]
                add('snapshot', data, data[:len(data) // 2], data[:len(data) * 9 // 10], cut, data[:100])
                snapshots.append(part(kind, zxid, data))
        for zxid, data in logs:
            add('datadir', part(5, zxid, data))
        whole = sorted(logs)
        add('datadir', b''.join(part(5, z, d) for z, d in whole), snapshots[0] + b''.join(part(5, z, d) for z, d in whole[-2:]),
            snapshots[-1], b''.join(snapshots), snapshots[0] + part(3, 0x1c, b''), snapshots[0] + part(3, 0x1c, b'ZKLG'))


def snapshots():
    """Small plain ones, made by hand."""
    head = b'ZKSN' + struct.pack('>iq', 2, -1)
    text = lambda s: struct.pack('>i', len(s)) + s
    node = lambda path, data: text(path) + data + struct.pack('>q', -1) + bytes(60)
    bodies = [struct.pack('>ii', 0, 0), struct.pack('>iqii', 1, 5, 4000, 0),
              struct.pack('>iiqii', 0, 1, 1, 1, 31) + text(b'world') + text(b'anyone')]
    trees = [b'', node(b'', text(b'')), node(b'', text(b'')) + node(b'/a', text(b'x')) + node(b'/a/b', struct.pack('>i', -1))]
    for body, tree in itertools.product(bodies, trees):
        for digest, last in itertools.product((False, True), repeat=2):
            data = head + body + tree + text(b'/')
            seal = lambda d: d + struct.pack('>q', zlib.adler32(d)) + text(b'/')
            data = seal(data)
            data = seal(data + struct.pack('>qiq', 1, 2, 99)) if digest else data
            data = seal(data + struct.pack('>q', 1)) if last else data
            add('snapshot', data)
            add('datadir', part(0, 1, data))


def archives():
    """Backups made by another hand: small snapshots, pieces of a real log, and what is wrong with them."""
    head = b'ZKSN' + struct.pack('>iq', 2, -1)
    text = lambda s: struct.pack('>i', len(s)) + s
    seal = lambda d: d + struct.pack('>q', zlib.adler32(d)) + text(b'/')
    own = list(entries((DATA / 'disk' / 'java-3.9.5' / 'log.1').read_bytes()))[:9]
    zxid = lambda e: struct.unpack('>q', e[12:20])[0]
    time = lambda e: struct.unpack('>q', e[20:28])[0]

    def snapshot(at, last, names):
        nodes = b''.join(text(n) + text(b'x') + struct.pack('>q', -1) + bytes(60) for n in names)
        data = seal(head + struct.pack('>ii', 0, 0) + nodes + text(b'/'))
        data = seal(data + struct.pack('>q', at)) if last else data
        return {'file': f'version-2/snapshot.{at:x}', 'data': data, 'zxid': hex(at), 'reach': hex(at) if last else None, 'znodes': len(names)}

    def log(some):
        data = b'ZKLG' + struct.pack('>iq', 2, 0)
        data += b''.join(struct.pack('>qi', zlib.adler32(e), len(e)) + e + b'B' for e in some)
        return {'file': f'version-2/log.{zxid(some[0]):x}', 'data': data, 'first': hex(zxid(some[0])), 'last': hex(zxid(some[-1])),
                'transactions': len(some), 'first_time': time(some[0]), 'latest_time': max(map(time, some)), 'last_checksum': zlib.adler32(some[-1])}

    def described(member):
        data = member['data']
        blocks = [zlib.crc32(data[i:i + (1 << 20)]) for i in range(0, len(data), 1 << 20)]
        sums = {'name': member['file'], 'size': len(data), 'sha256': hashlib.sha256(data).hexdigest(), 'blocks': blocks}
        return {**member, 'file': sums, 'data': None}

    def manifest(snapshots, logs, change=lambda m: m):
        clean = lambda members: [{k: v for k, v in described(m).items() if k != 'data'} for m in members]
        backup = change({'format': 'oxkeeper-backup', 'version': 1, 'by': 'seeds', 'made': '2026-11-20T00:00:00Z',
                         'source': {'myid': None, 'current_epoch': None, 'accepted_epoch': 3},
                         'snapshots': clean(snapshots), 'logs': clean(logs), 'digest': None})
        compact = json.dumps(backup, separators=(',', ':')).encode()
        return json.dumps({'sha256': hashlib.sha256(compact).hexdigest(), 'backup': backup}, separators=(',', ':')).encode()

    def tar(members):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as t:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                if name.endswith('/'):
                    info.type = tarfile.DIRTYPE
                t.addfile(info, io.BytesIO(data))
        whole = out.getvalue()
        while whole.endswith(bytes(1536)):
            whole = whole[:-512]
        return whole

    def archive(snapshots, logs, change=lambda m: m):
        return [(m['file'], m['data']) for m in snapshots + logs] + [('manifest.json', manifest(snapshots, logs, change))]

    trees = [[b''], [b'', b'/a'], [b'', b'/a', b'/a/b', b'/c']]
    pieces = [[], [log(own)], [log(own[:4]), log(own[4:])], [log(own[:1]), log(own[1:2]), log(own[2:])]]
    for names, logs, last in itertools.product(trees, pieces, (False, True)):
        members = archive([snapshot(0, last, names)], logs)
        whole = tar(members)
        add('archive', whole)
        if last and len(names) == 2:
            add('archive', whole[:-1024], whole[:-512], whole[:len(whole) // 2], whole[:512], whole + b'x', tar(members[:-1]), tar(members[1:]),
                tar(members + members[:1]), tar(members[::-1]), tar([('version-2/', b'')] + members), tar([('../x', b'x')] + members),
                tar([(f'./{n}', d) for n, d in members]), tar([(n, d[:-1]) for n, d in members]), tar([(n, d + b'x') for n, d in members]),
                tar([(n, bytes([d[0]]) + bytes([d[1] ^ 1]) + d[2:]) for n, d in members]), members[-1][1])
    one, two = [snapshot(0, True, trees[1])], pieces[1]
    for change in (lambda m: {**m, 'version': 2}, lambda m: {**m, 'format': 'x'}, lambda m: {**m, 'snapshots': []}, lambda m: {**m, 'more': 1},
                   lambda m: {**m, 'logs': m['logs'] * 2}, lambda m: {**m, 'snapshots': [{**m['snapshots'][0], 'znodes': 3}]},
                   lambda m: {**m, 'logs': [{**m['logs'][0], 'transactions': 1}]}, lambda m: {**m, 'logs': [{**m['logs'][0], 'last': '0x99'}]},
                   lambda m: {**m, 'digest': {'zxid': '0x1', 'version': 2, 'digest': '0x5'}}):
        add('archive', tar(archive(one, two, change)), archive(one, two, change)[-1][1])
    add('archive', b'', bytes(1024), bytes(512), b'{}', b'{"sha256":"","backup":{}}', tar([]), tar([('manifest.json', b'')]))


def epochs():
    for zxid in (0, -1, 1, 1 << 32, 3 << 32 | 7, -1 << 62):
        for files in (b'', b'3', b'3\x005', b'3\x004\x004', b'5\x003', b'x\x003', b'3\n\x003', b'4294967296\x001', b'-1\x00-1', b' 3\x003'):
            add('epochs', struct.pack('>q', zxid) + files)


def marks():
    lines = ['number 1\nfloor 5\n', 'number 18446744073709551615\nfloor ff\n', 'number 7\nfloor 100000001\ninstalling 5\n',
             'number 2\nfloor -1\n', 'number 0\nfloor 0\n']
    segments = ['', 'log.1 16 00000001 00000000 0\n', 'log.1 900 1234abcd 0000ffff 100000001\nlog.2 65 1 2 3\n', 'log.zz 1 2 3 4\n',
                'log.1 99999999999999999999 0 0 0\n', ''.join(f'log.{n:x} {n} {n:08x} {n:08x} {n:x}\n' for n in range(1, 90))]
    for line, segment in itertools.product(lines, segments):
        text = 'oxkeeper-mark 1\n' + line + segment
        summed = text + f'sum {zlib.crc32(text.encode()):08x}\n'
        add('marks', summed, text + '\0' + summed, summed + '\n' * 50)
    add('marks', '', '\0', 'oxkeeper-mark 2\nsum 00000000\n')


def texts():
    hosts = ['h', 'a.b.c', '127.0.0.1', '[::1]', '::1', 'h:2181', '[fe80::1]:99', 'h:', ':1', 'h:99999', '[x', 'x]', ' h ', '']
    for a, b in itertools.combinations(hosts, 2):
        if len(a + b) % 2:
            add('servers', f'{a},{b}')
    add('servers', *hosts, 'h/', 'h/a', 'h/a/b', 'h/a/', 'h//a', 'h,g:1/chroot', '/a', 'h/../x', ',,h,,', 'h\u00e9/\u4e2d')
    roles, clients = ['', ':participant', ':OBSERVER', ':voter'], ['', ';2181', ';h:2181', ';[::1]:2181', ';', ';;', ';x']
    for (n, host), role, client in itertools.product(enumerate(('h', '[::1]', '10.0.0.1')), roles, clients):
        add('members', f'{host}:2888:3888{role}{client}')
        if (n + len(client)) % 3 == 0:
            add('members', f'server.{n}={host}:2888:3888{role}{client}\nserver.9=b:1:2\ngroup.1={n}:9\nweight.{n}=3\nversion=10000000f\n')
    add('members', 'h:1:2|g:1:2', 'h:1:2:observer|g:1:2:participant', 'h:1:1', '[h:1:2', 'zoo.cfg.dynamic.100000000', 'group.1=1:2\ngroup.2=2', '')
    for word in ('ruok', 'isro', 'gtmk', 'stmk', 'conf', 'cons', 'crst', 'srst', 'dirs', 'dump', 'envi', 'stat', 'srvr', 'wchs',
                 'wchc', 'wchp', 'hash', 'mntr', 'RUOK', 'lead', '\0\0\0-', 'tele'):
        add('words', word, word + 'ruok, stat', word + '*,srvr')
    add('words', b'\xff\xf4\xff\xfd', b'\xff\xf4\xff\xfdisro', 'st', '')
    add('command', 'ls /', 'ls -s -R /a', 'ls /a watch', 'ls -w /', 'get -s /a', 'get /a watch', 'create /a data', 'create -e -s /a x world:anyone:cdrwa',
        'create -c /a', 'create -t 1000 /a', 'create -t x /a', 'create -s -e -c /a', 'set /a "two words"', "set -s -v 3 /a 'x y'", 'set /a "open',
        'delete /a', 'delete -v 1 /a', 'delete /a 1', 'deleteall /a', 'deleteall -b 100 /a', 'getAcl -s /a', 'setAcl -R /a world:anyone:r',
        'setAcl -v 1 /a ip:10.0.0.0/8:rw,digest:u:h=:cdrwa', 'stat -w /a', 'sync /', 'whoami', 'version', 'close', 'quit', 'history', 'redo 3',
        'connect h:1', 'printwatches on', 'addauth digest u:p', 'addWatch -m PERSISTENT /a', 'removewatches -c -l /a', 'setquota -n 5 /a',
        'setquota -B 1 -N 2 /a', 'listquota /a', 'delquota -b /a', 'config -c -w', 'reconfig -add server.1=h:1:2;3 -v 5', 'reconfig -remove 1,2',
        'reconfig -file f', 'getAllChildrenNumber /', 'getEphemerals /', 'nosuch', '', '   ', '-server h:1 ls /', '-timeout', '-r --json get /a',
        '-waitforconnection -client-configuration f ls', 'ls -x /', 'ls --', 'get -- -a', 'create -e', 'set', 'world:anyone:xyz', 'a:b', 'ip:::1:cdrwa',
        'digest:a:b:c:rw', '::', ':::', 'world:anyone:cdrwa,sasl:h/x@R:r,auth::a', 'ls\u00a0/', 'ls "" ""')


def principals():
    """Kerberos names and rules of auth_to_local: usual ones, and shapes that are none."""
    names, realms = ('bob', 'nn', 'HDFS', 'a b', 'b_1.c-2', 'super', 'x' * 300), ('R', 'r', 'OTHER.REALM', '', '72C0_CF')
    for name, realm in itertools.product(names, realms):
        add('principals', f'{name}@{realm}', f'{name}/host.example.com@{realm}')
    add('principals', '', '@', 'bob', '/h@R', 'bob/@R', 'a/b/c@R', 'bob@R@S', 'bob@R/x', 'b\\/c@R', 'b\\@x@R', 'bob\n@R', 'bob@R\0', '\u2028@R', 'x' * 1100 + '@R')
    formats, patterns = ('1:$1', '1:$1@$0', '2:$1.$2', '2:$1;$2'), ('', '(.*)', '(nn@R)', r'(.*@OTHER\.REALM)', '([a-z]+.*)')
    changes = ('', 's/@.*//', 's/(.)(.)/$2$1/g', 's/.*/hdfs//L')
    for f, p, c in itertools.product(formats, patterns, changes):
        add('rules', f'RULE:[{f}]{p}{c}')
    add('rules', 'DEFAULT', ' DEFAULT RULE:[1:$1] DEFAULT', 'RULE:[1:$1](nn@R)s/.*/hdfs/ RULE:[2:$1@$0](rm@.*)s/.*/yarn/ DEFAULT', 'RULE:[3:$9]',
        'RULE', 'RULE:[:$1]', 'RULE:[1:$2]', 'RULE:[1:$1](a', 'RULE:[1:$1](a**)', 'RULE:[1:$1]s/a/b', 'RULE:[1:$1]s/a/$1/', 'RULE:[1:$1]([)', 'x', '',
        'RULE:[1:$1](a{999}{999})', 'RULE:[1:$1]s/((((a{9}){9}){9}){9})/b/', 'RULE:[1:' + '$1' * 500 + ']', 'RULE:[1:$1](\\p{L})', 'RULE:[1:$1](\\x4)')


def tlv(tag, *inside):
    data = b''.join(inside)
    size = bytes([len(data)]) if len(data) < 128 else b'\x82' + struct.pack('>H', len(data))
    return bytes([tag]) + size + data


def logins():
    integer = lambda n: tlv(2, n.to_bytes(max(1, (n.bit_length() + 8) // 8), 'big', signed=True))
    text = lambda s: tlv(0x1b, s.encode())
    field = lambda n, data: tlv(0xa0 | n, data)
    def sealed(enctype, kvno, size):
        return tlv(0x30, field(0, integer(enctype)), b'' if kvno is None else field(1, integer(kvno)), field(2, tlv(4, bytes(size))))
    krb5 = bytes.fromhex('2a864886f712010202')
    others = [bytes.fromhex(oid) for oid in ('2b0601050502', '2b06010401823702020a', '2a864882f712010202', '2a03')]
    def token(oid, parts, realm, enctype, kvno, kind=b'\x01\0', size=40, version=5):
        name = tlv(0x30, field(0, integer(2)), field(1, tlv(0x30, *map(text, parts))))
        ticket = tlv(0x61, tlv(0x30, field(0, integer(5)), field(1, text(realm)), field(2, name), field(3, sealed(enctype, kvno, size))))
        request = tlv(0x6e, tlv(0x30, field(0, integer(version)), field(1, integer(14)), field(2, tlv(3, bytes(5))), field(3, ticket), field(4, sealed(enctype, None, 20))))
        return tlv(0x60, tlv(6, oid), kind, request)
    for parts, realm in itertools.product((['zookeeper', 'zk1'], ['zookeeper'], ['a/b', 'c@d', 'e\\'], [], [''], ['x'] * 9), ('ZK.TEST', '', 'R/S@T')):
        for enctype, kvno in ((18, 7), (17, None), (-128, 2 ** 32 - 1)):
            add('aprequest', token(krb5, parts, realm, enctype, kvno))
    good = token(krb5, ['zookeeper', 'zk1'], 'ZK.TEST', 18, 1)
    add('aprequest', *[token(oid, ['zookeeper', 'zk1'], 'ZK.TEST', 18, 1) for oid in others], token(krb5, ['z'], 'R', 18, 1, kind=b'\x02\0'),
        token(krb5, ['z'], 'R', 18, 1, size=700), token(krb5, ['z'], 'R', 18, 1, version=4), good + b'x', good[:-1], b'', b'NTLMSSP', b'\x60\x80', b'\x60\x84\xff\xff\xff\xff')
    def key(parts, realm, kvno, enctype, size, long=None):
        counted = lambda data: struct.pack('>H', len(data)) + data
        entry = struct.pack('>H', len(parts)) + counted(realm) + b''.join(map(counted, parts))
        entry += struct.pack('>IIBH', 1, 1700000000, kvno, enctype) + counted(bytes(range(size)))
        entry += b'' if long is None else struct.pack('>I', long)
        return struct.pack('>i', len(entry)) + entry
    hole = struct.pack('>i', -7) + bytes(7)
    names = ([b'zookeeper', b'zk1'], [b'zookeeper'], [b'a/b', b'c'], [], [b''] * 16, [b''] * 17, [b'\xff\n'])
    for parts, (enctype, size), long in itertools.product(names, ((18, 32), (17, 16), (23, 0)), (None, 0, 257)):
        one = key(parts, b'ZK.TEST', 3, enctype, size, long)
        add('keytab', b'\5\2' + one, b'\5\2' + hole + one * 3)
    one = key([b'zookeeper', b'zk1'], b'ZK.TEST', 3, 18, 32)
    add('keytab', b'', b'\5', b'\5\1' + one, b'\5\2', b'\5\2' + bytes(4) + one, b'\5\2' + one[:-1], b'\5\2\x7f\xff\xff\xff', b'\5\2\x80\0\0\0', b'\5\2' + hole * 9,
        b'-----BEGIN CERTIFICATE-----')

def kdcanswers():
    """Errors of KDCs, and tickets."""
    def integer(n):
        return tlv(2, n.to_bytes(max(1, (n.bit_length() + 8) // 8), 'big', signed=True))
    def field(n, data):
        return tlv(0xa0 | n, data)
    text = lambda s: tlv(0x1b, s.encode())
    time = tlv(0x18, b'20261120111121Z')
    def error(code, enctypes, words, when=time):
        info = tlv(0x30, *[tlv(0x30, field(0, integer(e))) for e in enctypes])
        methods = tlv(0x30, tlv(0x30, field(1, integer(2)), field(2, tlv(4))), tlv(0x30, field(1, integer(19)), field(2, tlv(4, info))))
        data = field(12, tlv(4, methods)) if enctypes else b''
        return tlv(0x7e, tlv(0x30, field(0, integer(5)), field(1, integer(30)), field(4, when), field(5, integer(1)), field(6, integer(code)),
                             field(9, text('R')), field(11, text(words)), data))
    for code, enctypes, words in itertools.product((0, 6, 25, 68, -1), ((), (18,), (18, 17, 20), (17,) * 40), ('', 'NEEDED_PREAUTH')):
        add('kdcanswer', error(code, enctypes, words))
    def sealed(enctype, kvno, size):
        return tlv(0x30, field(0, integer(enctype)), b'' if kvno is None else field(1, integer(kvno)), field(2, tlv(4, bytes(size))))
    name = tlv(0x30, field(0, integer(1)), field(1, tlv(0x30, text('alice'))))
    for kvno, enctype, size, padata in itertools.product((None, 1, 2 ** 32 - 1), (18, -128), (0, 60), (b'', field(2, tlv(0x30)))):
        ticket = tlv(0x61, tlv(0x30, field(0, integer(5)), field(1, text('R')), field(2, name), field(3, sealed(enctype, kvno, size))))
        add('kdcanswer', tlv(0x6b, tlv(0x30, field(0, integer(5)), field(1, integer(11)), padata, field(3, text('R')), field(4, name),
                                       field(5, ticket), field(6, sealed(enctype, kvno, size)))))
    good = error(25, (18,), 'x')
    add('kdcanswer', b'', good[:-1], good + b'x', error(25, (18,), 'x', tlv(0x18, b'20261120111121+')), tlv(0x7e, tlv(0x30)), tlv(0x6b, tlv(0x30)),
        b'\x7e\x80', b'\x7e\x84\xff\xff\xff\xff')


def digest():
    """Challenges of servers, and answers to the challenge that the target gives: good ones and others."""
    md5 = lambda data: hashlib.md5(data).digest()
    ours = base64.b64encode(bytes([7] * 24)).decode()

    def answer(user='bob', password='secret', realm='zk-sasl-md5', nonce=ours, nc='00000001', qop='auth', uri='zookeeper/zk-sasl-md5',
               authzid='bob', more=''):
        a1 = md5(f'{user}:{realm}:{password}'.encode()) + f':{nonce}:cnonce'.encode() + (f':{authzid}'.encode() if authzid else b'')
        parts = [md5(a1).hex(), nonce, nc, 'cnonce', qop, md5(f'AUTHENTICATE:{uri}'.encode()).hex()]
        proof = md5(':'.join(parts).encode()).hex()
        text = f'charset=utf-8,username="{user}",realm="{realm}",nonce="{nonce}",nc={nc},cnonce="cnonce",digest-uri="{uri}",maxbuf=65536'
        return text + f',response={proof},qop={qop}' + (f',authzid="{authzid}"' if authzid else '') + more
    add('digest', answer(), answer(authzid=''), answer(password='x'), answer(user='rob'), answer(realm=''), answer(nonce=''), answer(nc='00000002'),
        answer(qop='auth-int'), answer(uri='x'), answer(authzid='super'), answer(more=',username="super"'), answer(more=','), answer(more=',x'),
        answer(user=''), answer(user='b\\"b'), answer(more=',x="' + 'y' * 5000 + '"'), answer().upper(), answer()[:-1], answer()[1:])
    rests = ('', ',charset=utf-8', ',algorithm=md5-sess', ',charset=utf-8,algorithm=md5-sess', ',charset=latin,algorithm=md5-sess',
             ',qop="auth-int",charset=utf-8,algorithm=md5-sess')
    for realm, nonce, rest in itertools.product(('zk-sasl-md5', '', 'r\\"'), ('bm9uY2U=', ''), rests):
        add('digest', f'realm="{realm}",nonce="{nonce}"{rest}')
    add('digest', '', ',', '=', 'x=', 'x="', 'x="\\', 'rspauth=' + '0' * 32, ',,,a=b,,', b'a=\xff', b'\x60\x06')


def authpackets():
    """Packets of logins between servers."""
    magic = -0xa0dbcafecafe1234 % (1 << 64)
    for status, token in itertools.product((0, 1, -1, 7), (None, b'', b'token', b'\x60\x06\x06\x09', bytes(300))):
        body = struct.pack('>i', -1) if token is None else struct.pack('>i', len(token)) + token
        one = struct.pack('>Qi', magic, status) + body
        add('authpacket', one, one + b'x', one[:-1])
    add('authpacket', b'', bytes(8), struct.pack('>Q', magic), *[struct.pack('>Qii', magic, 0, n) for n in (-2, 1, 1 << 20, 0x7fffffff)])


def members_talk():
    """Packets between leader and learners, notifications, first messages and configurations of election connections."""
    text = lambda s: struct.pack('>i', len(s)) + s
    def packet(kind, zxid=-1, data=None, auth=None):
        body = struct.pack('>iq', kind, zxid) + (struct.pack('>i', -1) if data is None else text(data))
        ids = b'' if not auth else b''.join(text(a) + text(b) for a, b in auth)
        return body + struct.pack('>i', -1 if auth is None else len(auth)) + ids
    touches = struct.pack('>qiqi', 0x1000000000001, 4000, 0x2000000000007, 30000)
    txn = struct.pack('>qiqqi', 5, 1, 0x100000001, 1700000000000, 2) + text(b'/gone')
    payloads = {1: struct.pack('>qii', 5, 2, 2) + text(b'/gone') + struct.pack('>i', -1), 2: txn, 3: None, 4: None, 5: touches,
                6: touches[:12], 7: None, 8: txn, 9: struct.pack('>q', 2), 10: b'server.1=a:1:2:participant\nversion=0',
                11: struct.pack('>qiq', 2, 0x10000, 0), 12: None, 13: None, 14: None, 15: None, 16: struct.pack('>q', 4),
                17: struct.pack('>i', 0x10000), 18: struct.pack('>i', -1), 19: struct.pack('>q', 2) + txn}
    whole = [packet(kind, kind << 32, data) for kind, data in payloads.items()]
    for size, one in zip(itertools.cycle((1, 3, 20, 255)), whole):
        add('packet', bytes([size]) + one, bytes([size]) + one + one[:17], bytes([size]) + one[:-1])
    auth = [(b'ip', b'127.0.0.1'), (b'digest', b'bob:x=')]
    request = packet(1, -1, payloads[1], auth)
    add('packet', b'\x07' + request, b'\x07' + b''.join(whole), b'\x09' + request + whole[2], b'\x01' + packet(1, 0, b'', []),
        b'\x05' + packet(0), b'\x05' + packet(20), b'\x05' + packet(-1), b'\x05GET / HTTP/1.1\r\n\r\n', b'', b'\x05',
        *[b'\x05' + struct.pack('>iqi', 3, 0, n) for n in (-2, 301, 0x7fffffff, -0x80000000)],
        *[b'\x05' + struct.pack('>iqii', 3, 0, -1, n) for n in (-2, 5000, 0x7fffffff)],
        *[b'\x05' + struct.pack('>iqiii', 3, 0, -1, 1, n) for n in (-2, 1 << 21, 0x7fffffff)],
        b'\x05' + struct.pack('>iqiiii', 3, 0, -1, 1, -1, -1), b'\x05' + packet(2, 1, bytes(300)), b'\x05' + packet(2, 1, bytes(301)))
    for data in payloads.values():
        if data:
            add('payload', data, data[:-1], data[:8], data * 2, data[:12], data + b'\0')
    for n in range(24):
        add('payload', struct.pack('>qi', n, n * 1000) * n, bytes(n))
    configs = ['server.1=a:1:2:participant\nversion=0', 'server.1=zk1:2888:3888:participant;0.0.0.0:2181\nserver.2=[::1]:2888:3888:observer\nversion=10000000f',
               'server.1=a:1:2|b:3:4:participant\nversion=1', '', 'version=0', 'server.1=a:1:1', 'no configuration \u00e9']
    votes = [(0, 1, 0x100000007, 3, 1), (2, 3, 0x500000000, 9, 6), (1, -1 << 63, -1 << 63, -1 << 63, -1 << 63), (3, 255, -1, 0, -1), (4, 1, 1, 1, 1)]
    for (state, leader, zxid, round_, epoch), config in itertools.product(votes, configs):
        head = struct.pack('>iqqq', state, leader, zxid, round_)
        full = head + struct.pack('>qi', epoch, 2) + text(config.encode())
        add('notification', full, head, head + struct.pack('>qi', epoch, 1))
        if config == configs[0]:
            add('notification', full[:-1], full[:41], full[:44], full + b'more', full[:35], full[:27], head + struct.pack('>qii', epoch, 2, -1),
                head + struct.pack('>qii', epoch, 3, 0), head + struct.pack('>qii', epoch, 2, 0x7fffffff))
    addresses = ['h:3888', '127.0.0.1:3888', '[::1]:3888', 'a:1|b:2', 'a:1|[fe80::1]:2|c:3', '0.0.0.0:3888', '[::]:1|h:2', 'h', ':1', 'h:', 'h:70000', 'h:1:2',
                 '[::1', '[::1]1', 'h:1|', 'a b:1', 'h' * 2044 + ':1', 'h' * 2047 + ':1', '\u00e9:1', '|' * 30]
    for version, address in itertools.product((-65536, -65535), addresses):
        data = struct.pack('>qq', version, 3) + text(address.encode())
        add('initial', data, data + struct.pack('>i', 40))
    first = struct.pack('>qq', -65536, 3)
    add('initial', b'', bytes(7), struct.pack('>q', 0), struct.pack('>q', 3), struct.pack('>q', 0x7fffffffffffffff), struct.pack('>q', -1), struct.pack('>q', -65534),
        first, *[first + struct.pack('>i', n) for n in (0, -1, 2048, 2049, 0x7fffffff)], b'GET / HT', b'\x16\x03\x01\x02\0\x01\0\x01', first + text(b'\xff:1'))
    lines = ['server.1=a:1:2:participant', 'server.2=[fe80::1]:2888:3888:observer;[::]:2181', 'server.20=b:1:2', 'group.1=1:20', 'group.2=1', 'weight.1=0', 'version=1f',
             'version=x', 'server.x=a:1:2', 'dynamic=1']
    for n in (1, 2, 3):
        for some in itertools.combinations(lines, n):
            if n < 3 or (len(some[0]) + len(some[1]) * len(some[2])) % 3 == 0:
                add('configtext', '\n'.join(some))
    add('configtext', *configs, 'server.1=a:1:2\\u00', '\n'.join(f'server.{n}=h{n}:1:2:participant' for n in range(99)) + '\nversion=ffffffffffffffff')


def stores():
    """Names, key stores of keytool's format, and what openssl writes: new keys at each run, so run once."""
    import base64, subprocess, tempfile
    tlv = lambda tag, body: bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else b'\x82' + struct.pack('>H', len(body))) + body
    known = {'CN': '550403', 'O': '55040a', 'DC': '0992268993f22c640119', 'mail': '2a864886f70d010901', 'far': '883703'}
    attribute = lambda name, tag, value: tlv(0x30, tlv(6, bytes.fromhex(known[name])) + tlv(tag, value))
    values = (b'plain', b' a, b+c ', b'#"<>;=\\', 'Z\u00fcrich'.encode(), b'', b'\xff', b'a\0b')
    for name, tag, value in itertools.product(known, (0x0c, 0x13, 0x1e, 0x02), values):
        one = attribute(name, tag, value)
        add('subject', tlv(0x31, one), tlv(0x31, one + attribute('O', 0x0c, b'x')) + tlv(0x31, attribute('CN', 0x13, b'y')))
    add('subject', b'', b'1', b'1\0', b'0\0', b'\x31\x02\x30\x00', tlv(0x31, tlv(0x30, tlv(6, b'\x80') + tlv(12, b'x'))))

    here = pathlib.Path(tempfile.mkdtemp())
    run = lambda *args: subprocess.run(args, cwd=here, check=True, capture_output=True)
    certificates = []
    for i, subject in enumerate(('/CN=a', '/C=DE/O=b, c/CN=#d', '/CN=e/emailAddress=f@g')):
        run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '20000',
            '-subj', subject, '-keyout', f'k{i}', '-out', f'c{i}')
        pem, key = (here / f'c{i}').read_text(), (here / f'k{i}').read_text()
        der = base64.b64decode(''.join(pem.splitlines()[1:-1]))
        certificates.append(der)
        add('subject', der, der[:-1], der + b'\0', der[:60])
        run('openssl', 'pkcs8', '-topk8', '-in', f'k{i}', '-out', f'e{i}', '-passout', 'pass:changeit', '-v2', 'aes-256-cbc', '-iter', str(1 << i))
        sealed = (here / f'e{i}').read_text()
        sec1 = run('openssl', 'ec', '-in', f'k{i}').stdout.decode()
        texts = (pem, pem * 3, key, key + pem, pem + key, sealed + pem, sealed, sec1 + pem, 'text\n' + pem + 'more\n' + key,
                 pem[:-9], pem.replace('MII', 'M!I', 1), key.replace('MIG', 'MIH') + pem, pem.replace('CERTIFICATE', 'X509 CRL'),
                 pem.replace('\n', '\r\n') + key, sealed[:90] + pem, key[:60] + pem, pem.replace('-----', '----'))
        add('pem', *texts)
        for n, extra in enumerate(((), ('-nomac',), ('-legacy',), ('-macalg', 'sha1'), ('-nokeys',), ('-nocerts',), ('-certpbe', 'NONE', '-keypbe', 'NONE'))):
            done = subprocess.run(('openssl', 'pkcs12', '-export', '-in', f'c{i}', '-inkey', f'k{i}', '-out', 'p', '-iter', '8', '-passout', 'pass:changeit') + extra,
                                  cwd=here, capture_output=True)
            if done.returncode == 0:
                data = (here / 'p').read_bytes()
                add('pkcs12', data, data[:-1], data[:len(data) // 2], data + b'\0', data[:-2] + b'\x7f\xff')
    add('pem', '', '-----BEGIN CERTIFICATE-----', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n', 'PRIVATE KEY-----')
    add('pkcs12', b'', b'0', b'\x30\x03\x02\x01\x03', b'\x30\x80\x02\x01\x03\0\0', b'\x30\x09\x02\x01\x03\x04\x00\x02\x02\x7f\xff',
        b'\x30\x0c\x02\x01\x03\x04\x00\x02\x05\x7f\xff\xff\xff\xff', b'\x30' * 100, *[tlv(0x30, b'\x02\x01\x03' + bytes([4, 0, 2, 1, n])) for n in range(8)])

    def sealed(body, password='changeit'):
        return body + hashlib.sha1(password.encode('utf-16-be') + b'Mighty Aphrodite' + body).digest()
    text = lambda s: struct.pack('>H', len(s)) + s
    block = lambda b: struct.pack('>I', len(b)) + b
    head = lambda n, version=2: b'\xfe\xed\xfe\xed' + struct.pack('>II', version, n)
    def locked(key, password='changeit'):
        secret, salt, out = password.encode('utf-16-be'), bytes(range(20)), b''
        digest = salt
        for at in range(0, len(key), 20):
            digest = hashlib.sha1(secret + digest).digest()
            out += bytes(a ^ b for a, b in zip(key[at:at + 20], digest))
        octets = salt + out + hashlib.sha1(secret + key).digest()
        return tlv(0x30, tlv(0x30, tlv(6, b'\x2b\x06\x01')) + tlv(4, octets))
    for n, alias, der in itertools.product((1, 2, 3), (b'', b'a', b'alias' * 3), (b'', b'der', certificates[0])):
        trusted = struct.pack('>I', 2) + text(alias) + bytes(8) + text(b'X.509') + block(der)
        entry = struct.pack('>I', 1) + text(alias) + bytes(8) + block(locked(b'key' * 9)) + struct.pack('>I', 1) + text(b'X.509') + block(der)
        add('jks', sealed(head(n) + trusted * n), sealed(head(n) + entry * n), sealed(head(n) + trusted), sealed(head(2) + entry + trusted))
    one = struct.pack('>I', 2) + text(b'a') + bytes(8) + block(b'der')
    add('jks', b'', b'\xfe\xed\xfe\xed', sealed(head(0)), sealed(head(0, 1)), sealed(head(0, 3)), sealed(head(1, 1) + one), sealed(head(0xffffffff)),
        sealed(head(0), 'other'), sealed(head(0) + b'x'), sealed(head(1) + struct.pack('>I', 7) + bytes(40)), b'\xce\xce\xce\xce' + bytes(30))


def web():
    targets = ['/', '/metrics', '/metrics?name[]=znode_count&name[]=uptime', '/commands', '/commands/stat', '/commands/stmk?traceMask=3%30+6',
               '/commands/snapshot?streaming=true', '/console/tree?path=%2Fa%2Fb', '/a%20b/', '/%E4%BD%A0', '/a?x&y=&=z&&', '/a?' + 'p=1&' * 32,
               '/../etc/passwd', '/%2e%2e/x', '/./x', '/a%2fb', '/a%5cb', '/a\\b', '/%00', '/%0d%0a', '/%', '/%4', '/%zz', '/%ff', '*', '',
               'http://x/', '//', '/a//b/', '/a?b=%', '/a?b=%ff', '/a?b=%00', '/a?' + 'p=1&' * 33, '/' + 'a' * 300]
    heads = ['host: localhost', 'authorization: digest bob:secret', 'authorization: digest bob', 'authorization: digest', 'authorization: x509',
             'authorization: Basic Ym9iOnNlY3JldA==', 'authorization: Basic !', 'authorization: basic Ym9i', 'authorization: Negotiate YII=',
             'authorization: Negotiate', 'authorization: Bearer x', 'authorization: digest a:b\nauthorization: digest c:d',
             'authorization: digest super:\xe9', 'authorization: digest :', 'x-forwarded-for: 127.0.0.1', 'Forwarded: for=1', 'accept-encoding: gzip;q=0',
             'no colon', ': empty', 'a b: c', 'name:', 'name: a\0b']
    add('http', *targets, *[f'{target}\n{head}' for target, head in zip(itertools.cycle(targets[:11]), heads)], '\n'.join(['/'] + ['a: b'] * 70))


for target in ('flags', 'jaas', 'config', 'names', 'properties'):
    add(target, '')
frames()
results()
disk()
snapshots()
archives()
epochs()
marks()
texts()
principals()
logins()
kdcanswers()
digest()
authpackets()
members_talk()
stores()
web()
for folder in sorted((HERE / 'corpus').iterdir()):
    files = list(folder.iterdir())
    print(f'{folder.name}: {len(files)} inputs, {sum(f.stat().st_size for f in files)} bytes')
