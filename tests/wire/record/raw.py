"""Frames that no well-behaved client sends, and ones that the clients at hand do not send."""

import socket
import struct

I = lambda n: struct.pack('>i', n)
L = lambda n: struct.pack('>q', n)
B = lambda v: b'\1' if v else b'\0'
S = lambda s: I(-1) if s is None else D(s.encode())
D = lambda b: I(-1) if b is None else I(len(b)) + b
ACLS = lambda *a: I(len(a)) + b''.join(I(p) + S(s) + S(i) for p, s, i in a)
OPEN = ACLS((31, 'world', 'anyone'))
PART = lambda op: I(op) + B(False) + I(-1)
END = I(-1) + B(True) + I(-1)


class Session:
    def __init__(self, port, session=0, password=b'\0' * 16, read_only=False, zxid=0, timeout=30000, greet=True):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=5)
        self.xid = 0
        if greet:
            tail = b'' if read_only is None else B(read_only)
            self.send(I(0) + L(zxid) + I(timeout) + L(session) + D(password) + tail)
            answer = self.receive()
            if answer:
                self.timeout, self.id = struct.unpack('>iq', answer[4:16])
                self.password = answer[20:36]

    def send(self, body):
        self.socket.sendall(I(len(body)) + body)

    def receive(self):
        head = self.take(4)
        return head and self.take(struct.unpack('>i', head)[0])

    def take(self, n):
        data = b''
        while len(data) < n:
            try:
                more = self.socket.recv(n - len(data))
            except TimeoutError:
                return None
            if not more:
                return None
            data += more
        return data

    def ask(self, op, record=b'', xid=None):
        xid = self.post(op, record, xid)
        while True:
            answer = self.receive()
            if answer is None or answer[:4] == I(xid):
                return answer

    def post(self, op, record=b'', xid=None):
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send(I(xid) + I(op) + record)
        return xid

    def close(self):
        self.ask(-11)
        self.socket.close()


def refused_records(port):
    """Records that cannot be read, values that do not exist, op codes that nobody may send."""
    s = Session(port)
    s.ask(1, S('/raw') + D(b'x') + OPEN + I(0))
    s.ask(4, b'\0\0')                                            # too short a record
    s.ask(1, S('/x') + D(b'x'))                                  # a write without its ACL
    s.ask(1, S('/x') + D(b'x') + OPEN + I(9))                    # no such flag
    s.ask(1, S('/x') + D(b'x') + OPEN + I(4))                    # container flag in a plain create
    s.ask(1, S('/y') + D(b'x') + I(-1) + I(0))                   # a null ACL list
    s.ask(1, S('/y') + D(b'x') + ACLS() + I(0))                  # an empty one
    s.ask(1, S('') + D(b'x') + OPEN + I(0))
    s.ask(1, S('/') + D(b'x') + OPEN + I(0))
    s.ask(1, S('/a/') + D(b'x') + OPEN + I(0))
    s.ask(1, S('/raw/\1') + D(b'x') + OPEN + I(0))
    s.ask(15, S('/two') + D(b'x') + OPEN + I(3))                 # create2, ephemeral sequential
    s.ask(19, S('/con') + D(b'x') + OPEN + I(4))
    s.ask(21, S('/ttl') + D(b'x') + OPEN + I(5) + L(7000))
    s.ask(21, S('/ttl0') + D(b'x') + OPEN + I(5) + L(0))         # no time to live
    s.ask(2, S('raw') + I(-1))
    s.ask(3, S('/a/../b') + B(False))
    s.ask(3, S('') + B(False))
    s.ask(4, S('/raw') + B(True) + b'behind the record')
    s.ask(5, S('/raw') + D(b'caf\xc3\xa9') + I(-1))
    s.ask(17, S('/raw') + I(2))                                  # checkWatches: there is one
    s.ask(17, S('/raw') + I(1))
    s.ask(17, S('/raw') + I(9))                                  # no such type
    s.ask(18, S('/raw') + I(3))
    s.ask(106, S('/raw') + I(0))
    s.ask(106, S('/raw') + I(2))                                 # no such mode
    s.ask(18, S('/raw') + I(4))
    s.ask(106, S('/raw') + I(1))
    s.ask(18, S('/raw') + I(5))
    s.ask(103, S(None))
    s.ask(9, S('no path at all'))
    s.ask(16, S('server.1=127.0.0.1:1:2;3') + S(None) + S(None) + L(-1))
    s.ask(14, END)
    s.ask(14, PART(4) + S('/raw') + B(False) + PART(2) + S('/raw') + I(-1) + END)   # reads beside writes
    s.ask(14, PART(7) + S('/raw') + OPEN + I(-1) + END)          # a part that no multi knows
    s.ask(14, PART(2) + S('/raw'))                               # no end
    s.ask(22, PART(4) + S('/raw') + B(True) + PART(8) + S('/none') + B(False) + END)
    s.ask(22, END)
    s.ask(101, L(0) + I(0) + I(0) + I(0), xid=-8)
    s.ask(105, L(1) + I(1) + S('/raw') + I(1) + S('/con') + I(1) + S('/') + I(0) + I(1) + S('/con'), xid=-8)
    s.ask(102, D(b'token'))                                      # no SASL on this server
    s.ask(100, I(0) + S('digest') + D(b'raw:client'), xid=-4)
    s.ask(11, xid=-2)
    s.ask(107)
    s.ask(-11)


def closing(port):
    """What ends a connection."""
    for op, record in ((0, b''), (10, b''), (9999, b'xyz'), (13, S('/') + I(-1))):
        Session(port).ask(op, record)
    s = Session(port)
    s.ask(100, I(0) + S('digest') + D(None), xid=-4)
    s = Session(port)
    s.ask(100, I(0) + S('ip') + D(b'127.0.0.1'), xid=-4)
    s = Session(port, zxid=1 << 40)                              # has seen the future
    s = Session(port)
    s.post(-11)
    s.post(1, S('/after') + D(b'x') + OPEN + I(0))               # behind its own end
    s.receive()
    s.receive()


def server_only(port):
    """An operation of the server itself."""
    Session(port).ask(20, S('/none'))


def connects(port):
    """Connect requests: with and without the read-only byte, renewed, refused, too short and too long time-outs."""
    for read_only in (None, False, True):
        s = Session(port, read_only=read_only)
        s.ask(11, xid=-2)
        Session(port, session=s.id, password=s.password, read_only=read_only).close()
        Session(port, session=s.id, password=b'wrong' * 3 + b'!', read_only=read_only)
        Session(port, session=0x1234, password=b'\1' * 16, read_only=read_only)
    Session(port, timeout=1).close()
    Session(port, timeout=1 << 30).close()
    Session(port, password=b'').close()
    Session(port, password=None).close()


def throttled(port):
    """More requests at once than the server lets wait."""
    s = Session(port)
    for n in range(4):
        s.post(1, S(f'/throttled{n}') + D(b'x') + OPEN + I(0))
        s.post(4, S('/zookeeper') + B(False))
    for _ in range(8):
        s.receive()
    s.close()


def enforced(port):
    """A server that wants an identity first."""
    s = Session(port)
    s.ask(3, S('/') + B(False))
    s = Session(port)
    s.ask(100, I(0) + S('digest') + D(b'raw:client'), xid=-4)
    s.ask(3, S('/') + B(False))
    s.close()
