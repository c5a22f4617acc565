"""Run by the Python of the private environment: kazoo through the recording proxy."""

import sys
from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.security import make_digest_acl


def refused(call, *args, **options):
    try:
        call(*args, **options)
    except KazooException as e:
        print('refused:', type(e).__name__)


def main(address):
    zk = KazooClient(hosts=address, timeout=30)
    zk.start()
    zk.add_auth('digest', 'kazoo:client')
    zk.create('/k', b'0')
    zk.create('/k/e', b'', ephemeral=True)
    zk.create('/k/s-', b'', sequence=True)
    zk.create('/k/2', b'2', include_data=True)
    zk.create('/k/acl', b'', acl=[make_digest_acl('kazoo', 'client', all=True)])
    seen = []
    zk.get('/k', watch=seen.append)
    zk.get_children('/k', watch=seen.append)
    zk.get_children('/k', include_data=True)
    zk.exists('/none', watch=seen.append)
    zk.get_acls('/k/acl')
    zk.set_acls('/k/acl', [make_digest_acl('kazoo', 'client', read=True)])
    zk.set('/k', b'1', version=0)
    zk.sync('/k')
    t = zk.transaction()
    t.check('/k', 1)
    t.create('/k/t', b't')
    t.set_data('/k/t', b'u')
    t.delete('/k/t')
    print(t.commit())
    t = zk.transaction()
    t.check('/k', 7)
    t.delete('/k/none')
    print(t.commit())
    refused(zk.delete, '/k')
    refused(zk.create, '/k')
    refused(zk.get, '/none')
    refused(zk.reconfig, 'server.2=127.0.0.1:2:3;4', None, None)
    zk.delete('/k', recursive=True)
    zk.stop()
    zk.close()


main(sys.argv[1])
