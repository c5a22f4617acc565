"""Records tests/data/wire again: python3 record.py [scene...]. Needs what packaging/setup.sh test installs."""

import subprocess
import sys
import time
import disk
import raw
from proxy import Proxy
from servers import CACHE, SUPER, compiled, directory, drive, free_port, server

PLAIN = ('-Dzookeeper.extendedTypesEnabled=true', '-Dzookeeper.enforceQuota=true', SUPER)
JAAS = 'Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  user_bob="secret";\n};\n' \
       'Client {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  username="bob"\n  password="%s";\n};\n'


def recorded(name, port, scene, *about):
    proxy = Proxy(name, port, *about)
    scene(proxy)
    time.sleep(0.3)
    print(f'{name}: {proxy.save()} frames')


def java_clients(version):
    """Every scene of the Java driver against a server of its own version."""
    with directory() as d:
        classes = compiled(version, d, 'Drive')
        with server(version, d / 'data', *PLAIN) as port:
            for scene in ('creates', 'nodes', 'multis', 'watches', 'again', 'identities', 'quotas'):
                recorded(f'java-{version[:3]}-{scene}', port, lambda p: drive(version, classes, p, scene),
                         f'Java client {version} and Java server {version}, standalone: {scene}.')


def settings():
    """Servers whose settings refuse something."""
    version = '3.9.5'
    with directory() as d:
        classes = compiled(version, d, 'Drive')
        ensemble = ('standaloneEnabled=false', 'server.1=127.0.0.1:%d:%d:participant;127.0.0.1:$PORT')

        def run(name, scene, flags, cfg=(), members=(), client=(), myid=True, about='', ready='Mode:'):
            data = d / name
            data.mkdir()
            (data / 'myid').write_text('1')
            cfg = [line % (free_port(), free_port()) if '%d' in line else line for line in (*cfg, *members)]
            with server(version, data, *flags, cfg=cfg, ready=ready) as port:
                recorded(f'setting-{name}', port, lambda p: drive(version, classes, p, scene, flags=client),
                         f'Java client {version} and Java server {version}: {about}.')

        run('no-ttl', 'ttl', (), about='extended types are off')
        run('reconfig', 'reconfigs', (SUPER,), ('reconfigEnabled=true', ensemble[0]), ensemble[1:],
            about='an ensemble of one that may be reconfigured')
        run('local-session', 'ephemeral', (), ('localSessionsEnabled=true', ensemble[0]), ensemble[1:],
            about='local sessions that may not become global')
        peers = ('server.1=127.0.0.1:%d:%d', 'server.2=127.0.0.1:%d:%d')
        run('read-only', 'readonly', ('-Dreadonlymode.enabled=true',), ('localSessionsEnabled=true',), peers,
            about='one of two members, read-only', ready='Mode: read-only')
        (d / 'jaas').write_text(JAAS % 'secret')
        (d / 'jaas-wrong').write_text(JAAS % 'guess')
        login = (f'-Djava.security.auth.login.config={d}/jaas', '-Dzookeeper.fips-mode=false')
        auth = ('authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider',)
        run('sasl', 'sasl', login, auth, client=login, about='SASL with DIGEST-MD5')
        run('sasl-wrong', 'saslWrong', login, auth,
            client=(f'-Djava.security.auth.login.config={d}/jaas-wrong', login[1]),
            about='SASL with DIGEST-MD5, the wrong password')


def raw_frames():
    """Hand-made frames against the reference."""
    version = '3.9.5'
    with directory() as d:
        with server(version, d / 'data', *PLAIN) as port:
            for scene in (raw.refused_records, raw.closing, raw.connects, raw.server_only):
                recorded('raw-' + scene.__name__.replace('_', '-'), port, lambda p: scene(p.port),
                         f'Hand-made frames and Java server {version}.', scene.__doc__)
        enforce = ('enforce.auth.enabled=true', 'enforce.auth.schemes=digest')
        with server(version, d / 'enforced', *[f'-Dzookeeper.{e}' for e in enforce]) as port:
            recorded('raw-enforced', port, lambda p: raw.enforced(p.port),
                     f'Hand-made frames and Java server {version}.', raw.enforced.__doc__)
        throttle = ('-Dzookeeper.throttled_op_wait_time=1', '-Dzookeeper.request_throttle_max_requests=1',
                    '-Dzookeeper.request_throttle_stall_time=20', '-Dzookeeper.request_throttle_drop_stale=false')
        with server(version, d / 'throttled', *throttle) as port:
            recorded('raw-throttled', port, lambda p: raw.throttled(p.port),
                     f'Hand-made frames and Java server {version}.', raw.throttled.__doc__)


def other_clients():
    """kazoo, the C client, and the Java client of 3.4."""
    version = '3.9.5'
    with directory() as d:
        classes = compiled('3.4.14', d, 'Drive34', 'shim/StaticHostProvider')
        old = ('-Dzookeeper.sasl.client=false',)
        with server(version, d / 'data', *PLAIN) as port:
            recorded('kazoo', port, kazoo, f'kazoo 2.11.0 and Java server {version}.')
            recorded('c-client', port, c_client, f"The C client's cli_mt of 3.8.0 and Java server {version}.")
            recorded('java-3.4-new-server', port, lambda p: drive('3.4.14', classes, p, flags=old),
                     f'Java client 3.4.14 and Java server {version}.')
        with server('3.4.14', d / 'old') as port:
            recorded('java-3.4-old-server', port, lambda p: drive('3.4.14', classes, p, flags=old),
                     'Java client 3.4.14 and Java server 3.4.14.')


def kazoo(proxy):
    subprocess.run([CACHE / 'venv/bin/python', __file__.replace('record.py', 'others.py'), f'127.0.0.1:{proxy.port}'],
                   check=True, stdin=subprocess.DEVNULL)


def c_client(proxy):
    words = ['create /c', 'create +e /c/e', 'create +s /c/s-', 'create +es /c/es-', 'create +c /c/con',
             'create +t=60000 /c/ttl', 'create2 /c/two', 'wexists /c/later', 'create /c/later', 'get /c', 'wget /c',
             'set /c new', 'ls /c', 'ls2 /c', 'wls /c', 'create /c/more', 'sync /c', 'get /none', 'addauth digest c:client',
             'reconfig -remove 3', 'delete /c/more', 'delete /c', 'quit']
    process = subprocess.Popen(['/usr/lib/zookeeper/bin/cli_mt', f'127.0.0.1:{proxy.port}'], stdin=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    for word in words:
        time.sleep(0.4)
        process.stdin.write(word + '\n')
        process.stdin.flush()
    process.wait()


SCENES = {'java39': lambda: java_clients('3.9.5'), 'java38': lambda: java_clients('3.8.6'), 'settings': settings,
          'raw': raw_frames, 'others': other_clients,
          'disk': disk.everything}
for chosen in sys.argv[1:] or SCENES:
    SCENES[chosen]()
