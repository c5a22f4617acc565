"""A recording proxy: what real clients and servers say to each other, into one file of tests/data/wire.

Listens on a free loopback port, forwards to the server, cuts the stream into frames and writes each as a readable line
and its bytes in hex. Pings after the first of a recording are left out.
"""

import contextlib
import pathlib
import socket
import threading
from frames import Dissector, hexed

DATA = pathlib.Path(__file__).resolve().parents[2] / 'data' / 'wire'


class Proxy:
    def __init__(self, name, server_port, *about):
        self.path, self.about, self.server_port = DATA / (name + '.txt'), about, server_port
        self.lock, self.text, self.pings, self.connections = threading.Lock(), [], set(), 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.live = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(('127.0.0.1', self.server_port))
            except OSError:
                client.close()
                continue
            with self.lock:
                self.connections += 1
                number = self.connections
                self.live |= {client, server}
            dissector = Dissector()
            for pair in ((client, server, True), (server, client, False)):
                threading.Thread(target=self.pump, args=(*pair, dissector, number), daemon=True).start()

    def pump(self, source, target, from_client, dissector, number):
        buffer = b''
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b''
            if not data:
                break
            buffer += data
            while len(buffer) >= 4 and len(buffer) >= 4 + int.from_bytes(buffer[:4], 'big'):
                size = 4 + int.from_bytes(buffer[:4], 'big')
                frame, buffer = buffer[:size], buffer[size:]
                self.write(number, dissector, from_client, frame)
                with contextlib.suppress(OSError):
                    target.sendall(frame)
        with self.lock:
            if not from_client and source in self.live:
                self.text.append(f'{number} < closed\n')
            self.live -= {source, target}
        for s in (source, target):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def write(self, number, dissector, from_client, frame):
        with self.lock:
            line = dissector.line(from_client, frame[4:])
            kind = ' '.join(line.split()[:2])
            if kind in self.pings:
                return
            if kind in ('> ping', '< ping'):
                self.pings.add(kind)
            self.text.append(f'{number} {line}\n{hexed(frame)}')

    def cut(self):
        """Breaks every connection, as a failing network would."""
        with self.lock:
            live, self.live = self.live, set()
        for s in live:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def save(self):
        self.listener.close()
        with self.lock:
            DATA.mkdir(parents=True, exist_ok=True)
            self.path.write_text(''.join('# ' + a + '\n' for a in self.about) + ''.join(self.text))
            return len(self.text)
