"""Four clients of kazoo contend for one lock and write down when each held it.

usage: locks.py <servers> <file> <stop file>
"""
import json
import logging
import os
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

logging.disable(logging.CRITICAL)
servers, path, stop = sys.argv[1:]
out, guard = open(path, "w", buffering=1), threading.Lock()
lost = []


def contend(n):
    who = f"locks-{n}"
    zk = KazooClient(hosts=servers, timeout=30)
    zk.add_listener(lambda state: lost.append(who) if state == KazooState.LOST and not os.path.exists(stop) else None)
    zk.start(timeout=60)
    while not os.path.exists(stop):
        lock = zk.Lock("/held-lock", who)
        try:
            if not lock.acquire(timeout=20):
                continue
            begin = time.monotonic_ns()
            time.sleep(0.02)
            with guard:
                out.write(json.dumps(dict(who=who, begin=begin, end=time.monotonic_ns())) + "\n")
        except KazooException:
            continue
        finally:
            while True:
                try:
                    lock.release()
                    break
                except KazooException:
                    time.sleep(0.05)
    zk.stop()
    zk.close()


threads = [threading.Thread(target=contend, args=(n,)) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if lost:
    print("sessions lost:", lost)
    sys.exit(1)
