"""Real servers and clients for the recordings, found where packaging/setup.sh put them."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

CACHE = pathlib.Path(os.environ.get('OXKEEPER_CACHE') or pathlib.Path.home() / '.cache' / 'oxkeeper')
HERE = pathlib.Path(__file__).resolve().parent
SUPER = '-Dzookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU='


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as s:
        return s.getsockname()[1]


def classpath(version):
    return f'{CACHE}/java/conf:{CACHE}/java/zookeeper-{version}/*'


def java(version, *args):
    return ['java', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Doxkeeper.log=WARN',
            '-cp', classpath(version), *args]


@contextlib.contextmanager
def directory():
    path = pathlib.Path(tempfile.mkdtemp(prefix='oxkeeper-record-'))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def ask(port, word):
    with socket.create_connection(('127.0.0.1', port), timeout=5) as s:
        s.sendall(word.encode())
        answer = b''
        while data := s.recv(65536):
            answer += data
    return answer.decode()


@contextlib.contextmanager
def server(version, data, *flags, cfg=(), ready='Mode:'):
    """A running server; yields its client port."""
    port = free_port()
    lines = ['tickTime=2000', f'dataDir={data}', f'clientPort={port}', 'clientPortAddress=127.0.0.1', 'maxClientCnxns=0',
             'admin.enableServer=false', 'initLimit=10', 'syncLimit=5', '4lw.commands.whitelist=*', *[line.replace('$PORT', str(port)) for line in cfg]]
    config, log = data.parent / f'zoo-{port}.cfg', open(data.parent / f'server-{port}.log', 'wb')
    config.write_text('\n'.join(lines) + '\n')
    data.mkdir(parents=True, exist_ok=True)
    command = java(version, '-Dzookeeper.admin.enableServer=false', *flags)
    process = subprocess.Popen(command + ['org.apache.zookeeper.server.quorum.QuorumPeerMain', str(config)],
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        for _ in range(400):
            with contextlib.suppress(OSError):
                if ready in ask(port, 'srvr'):
                    break
            if process.poll() is not None:
                raise RuntimeError(pathlib.Path(log.name).read_text())
            time.sleep(0.1)
        else:
            raise RuntimeError('does not serve: ' + pathlib.Path(log.name).read_text())
        yield port
    finally:
        process.terminate()
        process.wait()


def compiled(version, into, name, *more):
    classes, sources = into / f'{name}-{version}', [HERE / f'{n}.java' for n in (name, *more)]
    subprocess.run(['javac', '-nowarn', '-d', classes, '-cp', classpath(version), *sources], check=True)
    return classes


def drive(version, classes, proxy, *args, flags=()):
    """Runs a Java driver; a line CUT of its output breaks the proxy's connections."""
    command = java(version, *flags)
    command[command.index('-cp') + 1] = f'{classes}:{classpath(version)}'
    name = classes.name.split('-')[0]
    process = subprocess.Popen(command + [name, f'127.0.0.1:{proxy.port}', *args], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    done = False
    for line in process.stdout:
        line = line.strip()
        if line == 'CUT':
            proxy.cut()
        elif line == 'DONE':
            done = True
        else:
            print('   ', line)
    process.wait()
    if not done:
        raise RuntimeError(f'{name} {args} failed')
