"""Load by kazoo with a recorded history: see history.rs for the lines, load.rs for the arguments.

usage: load.py <name> <servers> <clients> <pause ms> <session ms> <history>
"""
import json
import logging
import os
import random
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (ConnectionClosedError, ConnectionLoss, KazooException, NodeExistsError,
                              OperationTimeoutError, SessionExpiredError)
from kazoo.handlers.threading import KazooTimeoutError

ROOT, KEYS = "/load", 8
UNKNOWN = (ConnectionLoss, ConnectionClosedError, OperationTimeoutError, SessionExpiredError, KazooTimeoutError)
logging.disable(logging.CRITICAL)

name, servers, clients, pause, session, path = sys.argv[1:]
servers, pause, stop = servers.split(","), int(pause) / 1000, path + ".stop"
out, lock = open(path, "w", buffering=1), threading.Lock()


def record(**op):
    with lock:
        out.write(json.dumps(op) + "\n")


class Hand(threading.Thread):
    def __init__(self, n):
        super().__init__(daemon=True)
        self.who, self.done, self.random = f"{name}-{n}", 0, random.Random(n)
        hosts = servers[n % len(servers):] + servers[:n % len(servers)]
        self.zk = KazooClient(hosts=",".join(hosts), timeout=int(session) / 1000, randomize_hosts=False)
        self.zk.add_listener(self.state)

    def session_id(self):
        return (self.zk.client_id or (0, b""))[0]

    def state(self, state):
        now = time.monotonic_ns()
        act = {KazooState.CONNECTED: "connected", KazooState.LOST: "expired"}.get(state)
        # A client that closes itself is told that its session is lost, too.
        if act and not os.path.exists(stop):
            record(client=self.who, session=self.session_id(), act=act, key="", begin=now, end=now)

    def ask(self, act, key, call, value=""):
        op = dict(client=self.who, session=self.session_id(), act=act, key=key, value=value, begin=time.monotonic_ns())
        try:
            op["value"], op["zxid"], op["version"] = call()
            op["end"] = time.monotonic_ns()
        except UNKNOWN as e:
            op["failure"] = type(e).__name__
        except KazooException as e:
            op["end"], op["failure"] = time.monotonic_ns(), type(e).__name__
        record(**op)
        return op

    def read(self, key):
        def call():
            data, stat = self.zk.get(key)
            return data.decode(), stat.mzxid, stat.version
        return self.ask("get", key, call)

    def write(self, act, key, value, version):
        def call():
            stat = self.zk.set(key, value.encode(), version)
            return value, stat.mzxid, stat.version
        return self.ask(act, key, call, value)

    def create(self, value):
        key = f"{ROOT}/c/{value}"

        def call():
            _, stat = self.zk.create(key, b"c", include_data=True)
            return key, stat.czxid, 0
        return self.ask("create", key, call, key)

    def run(self):
        self.zk.start(timeout=60)
        for key in [ROOT, f"{ROOT}/c"] + [f"{ROOT}/r{n}" for n in range(KEYS)]:
            try:
                self.zk.retry(self.zk.create, key)
            except NodeExistsError:
                pass
        while not os.path.exists(stop):
            self.done += 1
            value, key, choice = f"{self.who}-{self.done}", f"{ROOT}/r{self.random.randrange(KEYS)}", self.random.random()
            if choice < 0.45:
                self.read(key)
            elif choice < 0.8:
                self.write("set", key, value, -1)
            elif choice < 0.9:
                seen = self.read(key)
                if "end" in seen and "failure" not in seen:
                    self.write("cas", key, value, seen["version"])
            else:
                self.create(value)
            time.sleep(pause)
        self.zk.stop()
        self.zk.close()


hands = [Hand(n) for n in range(int(clients))]
for hand in hands:
    hand.start()
for hand in hands:
    hand.join()
