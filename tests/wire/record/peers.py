"""What Java servers of an ensemble say to each other, into tests/data/peer: python3 peers.py

Three voters and an observer; a server's own name leads to itself, the names of the others to recording proxies. One file for the election ports and one
for the quorum ports; each message is a line that is read here, without our codecs, and its bytes in hex below. Pings
behind the third of a direction are left out, and so is the body of a snapshot.
"""

import contextlib
import pathlib
import socket
import struct
import subprocess
import threading
import time
from frames import hexed
from raw import D, I, L, OPEN, S, Session
from servers import ask, directory, free_port, java

DATA = pathlib.Path(__file__).resolve().parents[2] / 'data' / 'peer'
KINDS = ['', 'REQUEST', 'PROPOSAL', 'ACK', 'COMMIT', 'PING', 'REVALIDATE', 'SYNC', 'INFORM', 'COMMITANDACTIVATE', 'NEWLEADER', 'FOLLOWERINFO', 'UPTODATE', 'DIFF',
         'TRUNC', 'SNAP', 'OBSERVERINFO', 'LEADERINFO', 'ACKEPOCH', 'INFORMANDACTIVATE']
VERSION = '3.9.5'


class More(Exception):
    pass


def take(data, at, n):
    if at + n > len(data):
        raise More
    return data[at:at + n], at + n


def counted(data, at):
    head, at = take(data, at, 4)
    n = struct.unpack('>i', head)[0]
    return (None, at) if n == -1 else take(data, at, n)


def quoted(text):
    return text.decode().replace('\n', '|')


def payload(kind, data, learner):
    if data is None:
        return 'null'
    if kind == 'REQUEST':
        return 'session=%#x cxid=%d op=%d record=%d' % (*struct.unpack('>qii', data[:16]), len(data) - 16)
    if kind == 'REVALIDATE' and not learner:
        return 'session=%#x valid=%d' % struct.unpack('>q?', data)
    if kind in ('PING', 'REVALIDATE'):
        return ' '.join('touch=%#x:%d' % struct.unpack('>qi', data[n:n + 12]) for n in range(0, len(data), 12)) or 'touches=0'
    if kind == 'NEWLEADER':
        return 'config=' + quoted(data)
    if kind in ('FOLLOWERINFO', 'OBSERVERINFO'):
        return 'sid=%d protocol=%#x version=%#x' % struct.unpack('>qiq', data)
    if kind in ('LEADERINFO', 'ACKEPOCH'):
        return 'number=%d' % struct.unpack('>i', data)
    if kind == 'COMMITANDACTIVATE':
        return 'leader=%d' % struct.unpack('>q', data)
    if kind == 'INFORMANDACTIVATE':
        return 'leader=%d txn=%d' % (struct.unpack('>q', data[:8])[0], len(data) - 8)
    return 'bytes=%d' % len(data)


class Quorum:
    """Messages of one direction of a quorum connection."""

    def __init__(self, dialler):
        self.learner, self.snapshot = dialler, False

    def next(self, data):
        if self.snapshot:
            end = data.find(I(10) + b'BenWasHere')
            if end < 0:
                raise More
            self.snapshot = False
            return 'snapshot', data[end:end + 14], end + 14
        head, at = take(data, 0, 12)
        kind, zxid = struct.unpack('>iq', head)
        body, at = counted(data, at)
        count, at = take(data, at, 4)
        ids = []
        for _ in range(max(0, struct.unpack('>i', count)[0])):
            scheme, at = counted(data, at)
            text, at = counted(data, at)
            ids.append(f'{scheme.decode()}:{text.decode()}')
        name = KINDS[kind]
        self.snapshot = name == 'SNAP'
        return f'{name} zxid={zxid & (1 << 64) - 1:#x} {payload(name, body, self.learner)} auth={",".join(ids) or "none"}', data[:at], at


class Election:
    """Messages of one direction of an election connection."""

    def __init__(self, dialler):
        self.first = dialler

    def next(self, data):
        if self.first:
            head, at = take(data, 0, 16)
            body, at = counted(data, at)
            self.first = False
            return 'INITIAL protocol=%d sid=%d ' % struct.unpack('>qq', head) + 'at=' + body.decode(), data[:at], at
        body, at = counted(data, 0)
        state, leader, zxid, round_, epoch, version = struct.unpack('>iqqqqi', body[:40])
        config, _ = counted(body, 40)
        line = f'NOTE state={state} leader={leader} zxid={zxid & (1 << 64) - 1:#x} round={round_} epoch={epoch} version={version} config={quoted(config)}'
        return line, data[:at], at


class Recording:
    def __init__(self):
        self.lock, self.text, self.connections, self.pings = threading.Lock(), [], 0, {}

    def proxy(self, target, kind):
        listener = socket.create_server(('127.0.0.2', target))
        threading.Thread(target=self.accept, args=(listener, target, kind), daemon=True).start()

    def accept(self, listener, target, kind):
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection(('127.0.0.1', target))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.connections += 1
                number = self.connections
            for source, sink, dialler in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.pump, args=(source, sink, kind(dialler), number, dialler), daemon=True).start()

    def pump(self, source, sink, messages, number, dialler):
        buffer = b''
        while True:
            try:
                data = source.recv(65536)
                sink.sendall(data)
            except OSError:
                break
            if not data:
                break
            buffer += data
            with contextlib.suppress(More):
                while buffer:
                    line, shown, used = messages.next(buffer)
                    buffer = buffer[used:]
                    self.write(number, dialler, line, shown)
        for s in (source, sink):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def write(self, number, dialler, line, shown):
        with self.lock:
            if line.startswith('PING'):
                seen = self.pings.get((number, dialler), 0)
                self.pings[number, dialler] = seen + 1
                if seen >= 3:
                    return
            self.text.append(f'{number} {">" if dialler else "<"} {line}\n{hexed(shown)}')

    def save(self, name, about):
        DATA.mkdir(parents=True, exist_ok=True)
        with self.lock:
            (DATA / f'{name}.txt').write_text(f'# {about}\n' + ''.join(self.text))
            print(name, len(self.text), 'messages')


class Ensemble:
    def __init__(self, home, flags=()):
        self.home, self.flags, self.quorum, self.election = home, flags, Recording(), Recording()
        self.ports = {n: (free_port(), free_port(), free_port()) for n in (1, 2, 3, 4)}
        self.running = {}
        for quorum, election, _ in self.ports.values():
            self.quorum.proxy(quorum, Quorum)
            self.election.proxy(election, Election)

    def start(self, n):
        lines = ['tickTime=500', 'initLimit=20', 'syncLimit=20', f'dataDir={self.home}/{n}', f'clientPort={self.ports[n][2]}', 'clientPortAddress=127.0.0.1',
                 'admin.enableServer=false', '4lw.commands.whitelist=*', 'skipACL=yes', 'reconfigEnabled=true', 'standaloneEnabled=false']
        for m, (quorum, election, client) in self.ports.items():
            role = 'observer' if m == 4 else 'participant'
            lines.append(f'server.{m}=zk{m}.test:{quorum}:{election}:{role};127.0.0.1:{client}')
        hosts = self.home / f'hosts-{n}'
        hosts.write_text(''.join(f'127.0.0.{1 if m == n else 2} zk{m}.test\n' for m in self.ports))
        lines = [line for line in lines if not line.startswith('clientPort')]
        data = self.home / str(n)
        data.mkdir(exist_ok=True)
        (data / 'myid').write_text(f'{n}\n')
        config = self.home / f'zoo-{n}.cfg'
        config.write_text('\n'.join(lines) + '\n')
        log = open(self.home / f'{n}.log', 'ab')
        command = java(VERSION, *self.flags, f'-Djdk.net.hosts.file={hosts}', '-Dzookeeper.admin.enableServer=false') + ['org.apache.zookeeper.server.quorum.QuorumPeerMain', str(config)]
        self.running[n] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self, n):
        process = self.running.pop(n)
        process.kill()
        process.wait()

    def wait(self, n, mode):
        for _ in range(600):
            with contextlib.suppress(OSError):
                if f'Mode: {mode}' in ask(self.ports[n][2], 'srvr'):
                    return
            time.sleep(0.1)
        raise RuntimeError((self.home / f'{n}.log').read_text()[-3000:])

    def client(self, n, **more):
        return Session(self.ports[n][2], timeout=8000, **more)


def work(ensemble):
    first, second = ensemble.client(1), ensemble.client(3)
    first.ask(100, I(0) + S('digest') + D(b'bob:secret'), xid=-4)
    first.ask(1, S('/a') + D(b'data') + OPEN + I(0))
    first.ask(1, S('/a/eph') + D(b'e') + OPEN + I(1))
    first.ask(5, S('/a') + D(bytes(300)) + I(-1))
    first.ask(5, S('/none') + D(b'') + I(-1))
    first.ask(9, S('/a'))
    second.ask(1, S('/b') + D(b'') + OPEN + I(2))
    watching = ensemble.client(4)
    watching.ask(1, S('/of-the-observer') + D(b'o') + OPEN + I(0))
    watching.ask(9, S('/'))
    # The session moves to another server.
    moved = Session(ensemble.ports[3][2], session=first.id, password=first.password, timeout=8000)
    moved.ask(1, S('/moved') + D(b'm') + OPEN + I(0))
    Session(ensemble.ports[1][2], session=0x1234, password=b'no' * 8, timeout=8000)
    moved.ask(-11)
    time.sleep(1.5)


def record(home, name, flags, about):
    home.mkdir()
    ensemble = Ensemble(home, flags)
    try:
        for n in (1, 2):
            ensemble.start(n)
            time.sleep(1)
        ensemble.wait(2, 'leader')
        ensemble.client(2).ask(1, S('/before') + D(b'b') + OPEN + I(0))
        for n, mode in ((3, 'follower'), (4, 'observer')):
            ensemble.start(n)
            ensemble.wait(n, mode)
        work(ensemble)
        ensemble.stop(3)
        ensemble.client(1).ask(1, S('/meanwhile') + D(b'm') + OPEN + I(0))
        ensemble.start(3)
        ensemble.wait(3, 'follower')
        ensemble.client(1).ask(16, S('server.5=127.0.0.1:1:2:observer;127.0.0.1:3') + S(None) + S(None) + L(-1))
        time.sleep(1.5)
        ensemble.stop(2)
        time.sleep(2)
    finally:
        for n in list(ensemble.running):
            ensemble.stop(n)
    ensemble.quorum.save(f'quorum-{name}', about)
    ensemble.election.save(f'election-{name}', about)


with directory() as home:
    record(home / 'plain', '3.9', (), f'Three voters and an observer of Java {VERSION}')
    record(home / 'snap', '3.9-snap', ('-Dzookeeper.forceSnapshotSync=true',), f'The same; learners are sent snapshots (Java {VERSION})')
