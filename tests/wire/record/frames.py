"""Client frames of ZooKeeper: a dissector that knows nothing of Oxkeeper, and the text form of tests/data/wire.

A record is a list of (field, type) in the order of zookeeper.jute. Every frame becomes one readable line and its bytes
in hex below; the Rust side dissects the bytes with its own decoders and must arrive at the same line.
"""

import struct

ACL = 'acl'  # vector<ACL>
RECORDS = {
    'ConnectRequest': 'protocolVersion:int lastZxidSeen:hex timeOut:int sessionId:hex passwd:buffer readOnly:bool?',
    'ConnectResponse': 'protocolVersion:int timeOut:int sessionId:hex passwd:buffer readOnly:bool?',
    'Path': 'path:str',
    'PathWatch': 'path:str watch:bool',
    'PathVersion': 'path:str version:int',
    'Create': 'path:str data:buffer acl:acls flags:int',
    'CreateTtl': 'path:str data:buffer acl:acls flags:int ttl:int64',
    'SetData': 'path:str data:buffer version:int',
    'SetAcl': 'path:str acl:acls version:int',
    'Reconfig': 'joiningServers:str leavingServers:str newMembers:str curConfigId:int64',
    'Watches': 'path:str type:int',
    'AddWatch': 'path:str mode:int',
    'Auth': 'type:int scheme:str auth:buffer',
    'Token': 'token:buffer',
    'SetWatches': 'relativeZxid:hex dataWatches:strs existWatches:strs childWatches:strs',
    'SetWatches2': 'relativeZxid:hex dataWatches:strs existWatches:strs childWatches:strs '
                   'persistentWatches:strs persistentRecursiveWatches:strs',
    'Prefix': 'prefixPath:str',
    'Multi': 'ops:ops',
    'Empty': '',
    'StatOnly': 'stat:stat',
    'PathStat': 'path:str stat:stat',
    'DataStat': 'data:buffer stat:stat',
    'Children': 'children:strs',
    'ChildrenStat': 'children:strs stat:stat',
    'AclStat': 'acl:acls stat:stat',
    'Results': 'results:results',
    'Ephemerals': 'ephemerals:strs',
    'Number': 'totalNumber:int',
    'Err': 'err:int',
    'ClientInfo': 'clientInfo:clients',
    'Event': 'type:int state:int path:str',
}
# op code: name, request record, response record
OPS = {
    1: ('create', 'Create', 'Path'), 2: ('delete', 'PathVersion', 'Empty'),
    3: ('exists', 'PathWatch', 'StatOnly'), 4: ('getData', 'PathWatch', 'DataStat'),
    5: ('setData', 'SetData', 'StatOnly'), 6: ('getACL', 'Path', 'AclStat'),
    7: ('setACL', 'SetAcl', 'StatOnly'), 8: ('getChildren', 'PathWatch', 'Children'),
    9: ('sync', 'Path', 'Path'), 11: ('ping', 'Empty', 'Empty'),
    12: ('getChildren2', 'PathWatch', 'ChildrenStat'), 13: ('check', 'PathVersion', 'Empty'),
    14: ('multi', 'Multi', 'Results'), 15: ('create2', 'Create', 'PathStat'),
    16: ('reconfig', 'Reconfig', 'DataStat'), 17: ('checkWatches', 'Watches', 'Empty'),
    18: ('removeWatches', 'Watches', 'Empty'), 19: ('createContainer', 'Create', 'PathStat'),
    20: ('deleteContainer', 'Path', 'Empty'), 21: ('createTtl', 'CreateTtl', 'PathStat'),
    22: ('multiRead', 'Multi', 'Results'), 100: ('auth', 'Auth', 'Empty'),
    101: ('setWatches', 'SetWatches', 'Empty'), 102: ('sasl', 'Token', 'Token'),
    103: ('getEphemerals', 'Prefix', 'Ephemerals'), 104: ('getAllChildrenNumber', 'Path', 'Number'),
    105: ('setWatches2', 'SetWatches2', 'Empty'), 106: ('addWatch', 'AddWatch', 'Err'),
    107: ('whoAmI', 'Empty', 'ClientInfo'), -11: ('closeSession', 'Empty', 'Empty'),
}
STAT = ('czxid:hex mzxid:hex ctime:int64 mtime:int64 version:int cversion:int aversion:int '
        'ephemeralOwner:hex dataLength:int numChildren:int pzxid:hex')


class Bad(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if n < 0 or self.at + n > len(self.data):
            raise Bad(f'{n} bytes at {self.at} of {len(self.data)}')
        self.at += n
        return self.data[self.at - n:self.at]

    def unpack(self, form):
        return struct.unpack('>' + form, self.take(struct.calcsize('>' + form)))[0]

    def left(self):
        return len(self.data) - self.at

    def counted(self, one):
        n = self.unpack('i')
        return None if n == -1 else [one() for _ in range(n)]

    def buffer(self):
        n = self.unpack('i')
        return None if n == -1 else self.take(n)


def plain(b):
    return all(0x20 <= c < 0x7f and c not in b'"\\' for c in b)


def text(raw):
    """Strings and buffers: as text when every byte is plain ASCII, otherwise in hex."""
    if raw is None:
        return 'null'
    return '"' + raw.decode() + '"' if plain(raw) else "x'" + raw.hex() + "'"


def listed(items):
    return 'null' if items is None else '[' + ', '.join(items) + ']'


def show(r, kind):
    if kind == 'int':
        return str(r.unpack('i'))
    if kind == 'int64':
        return str(r.unpack('q'))
    if kind == 'hex':
        return '0x%x' % r.unpack('Q')
    if kind == 'bool':
        return 'true' if r.unpack('B') else 'false'
    if kind in ('str', 'buffer'):
        return text(r.buffer())
    if kind == 'strs':
        return listed(r.counted(lambda: text(r.buffer())))
    if kind == 'acls':
        return listed(r.counted(lambda: ' '.join((str(r.unpack('i')), text(r.buffer()), text(r.buffer())))))
    if kind == 'clients':
        return listed(r.counted(lambda: ' '.join((text(r.buffer()), text(r.buffer())))))
    if kind == 'stat':
        return '{' + fields(r, STAT) + '}'
    if kind in ('ops', 'results'):
        return parts(r, kind == 'ops')
    raise Bad(kind)


def parts(r, asked):
    out = []
    while True:
        kind, done, err = r.unpack('i'), r.unpack('B'), r.unpack('i')
        if done:
            return '[' + ', '.join(out) + ']'
        if kind == -1:
            out.append('{error %d | %s}' % (err, fields(r, RECORDS['Err'])))
            continue
        if kind not in OPS:
            raise Bad(f'part {kind}')
        name, request, response = OPS[kind]
        body = fields(r, RECORDS[request if asked else response])
        out.append('{' + name + (' ' + body if body else '') + '}')


def fields(r, record):
    out = []
    for field in record.split():
        name, kind = field.split(':')
        if kind.endswith('?'):
            if r.left() == 0:
                continue
            kind = kind[:-1]
        out.append(name + '=' + show(r, kind))
    return ' '.join(out)


def rest(r):
    return [] if r.left() == 0 else ["trailing=x'" + r.data[r.at:].hex() + "'"]


class Dissector:
    """Both directions of one connection."""

    def __init__(self):
        self.connected = [False, False]
        self.asked = {}  # xid: op code, in order of asking

    def line(self, from_client, body):
        try:
            return self.request(body) if from_client else self.reply(body)
        except Bad as e:
            return f'undecodable: {e}'

    def request(self, body):
        r = Reader(body)
        if not self.connected[0]:
            self.connected[0] = True
            return ' '.join(['> connect', fields(r, RECORDS['ConnectRequest'])] + rest(r))
        xid, op = r.unpack('i'), r.unpack('i')
        self.asked.setdefault(xid, []).append(op)
        if op not in OPS:
            return ' '.join([f'> unknown xid={xid} type={op}'] + rest(r))
        name, record, _ = OPS[op]
        try:
            shown = fields(r, RECORDS[record])
        except Bad:
            return f"> {name} xid={xid} undecodable=x'{body[8:].hex()}'"
        return ' '.join([f'> {name} xid={xid}'] + ([shown] if shown else []) + rest(r))

    def reply(self, body):
        r = Reader(body)
        if not self.connected[1]:
            self.connected[1] = True
            return ' '.join(['< connected', fields(r, RECORDS['ConnectResponse'])] + rest(r))
        xid, zxid, err = r.unpack('i'), r.unpack('Q'), r.unpack('i')
        if xid == -1:
            name, record = 'notification', 'Event'
        else:
            op = (self.asked.get(xid) or [None]).pop(0)
            name, _, record = OPS.get(op, ('unknown', None, 'Empty'))
        head = f'< {name} xid={xid} zxid=0x{zxid:x} err={err}'
        if err != 0 and r.left() == 0:
            return head
        shown = fields(r, RECORDS[record])
        return ' '.join([head] + (['| ' + shown] if shown else []) + rest(r))


def hexed(frame, width=56):
    lines = [frame[i:i + width].hex() for i in range(0, len(frame), width)]
    return ''.join('    ' + line + '\n' for line in lines)
