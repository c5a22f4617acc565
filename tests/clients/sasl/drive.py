"""Logs in with kazoo by each case at each server and says what became of it.

usage: drive.py <json>: {"servers": {name: address}, "cases": {case: {"env": {...}, "options": {...} or null}}}
One line a login: case, tab, server, tab, "in as ID", "anonymous" or "refused (why)".
"""
import json
import logging
import os
import sys
import uuid

from kazoo.client import KazooClient
from kazoo.exceptions import InvalidACLError
from kazoo.security import make_acl

logging.disable(logging.CRITICAL)


def login(address, options):
    client = KazooClient(hosts=address, sasl_options=options, connection_retry={"max_tries": 1})
    try:
        client.start(timeout=12)
        path = "/kazoo-" + uuid.uuid4().hex
        try:
            client.create(path, acl=[make_acl("auth", "", all=True)])
        except InvalidACLError:
            return "anonymous"
        (acl,), _ = client.get_acls(path)
        return f"in as {acl.id.id}"
    except Exception as e:
        return f"refused ({type(e).__name__})"
    finally:
        client.stop()
        client.close()


work = json.loads(sys.argv[1])
for case, how in work["cases"].items():
    os.environ.update(how["env"])
    for server, address in work["servers"].items():
        if case != "none" and case.startswith("digest") != server.startswith("digest"):
            continue
        print(f"\n{case}\t{server}\t{login(address, how['options'])}", flush=True)
os._exit(0)
