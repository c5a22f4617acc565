import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;

/** Java client of 3.8 and younger: does what the named scene says, through the recording proxy. */
public class Drive {
    static final List<ACL> OPEN = Ids.OPEN_ACL_UNSAFE;
    final String address;
    final Semaphore connected = new Semaphore(0);
    final Semaphore events = new Semaphore(0);
    final Watcher watcher = this::seen;

    Drive(String address) {
        this.address = address;
    }

    void seen(WatchedEvent e) {
        if (e.getType() == Watcher.Event.EventType.None) {
            if (e.getState() == KeeperState.SyncConnected || e.getState() == KeeperState.ConnectedReadOnly) {
                connected.release();
            }
        } else {
            events.release();
        }
    }

    ZooKeeperAdmin open(boolean readOnly) throws Exception {
        ZooKeeperAdmin zk = new ZooKeeperAdmin(address, 30000, watcher, readOnly);
        await(connected);
        return zk;
    }

    static void await(Semaphore s) throws Exception {
        if (!s.tryAcquire(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("nothing came");
        }
    }

    interface Call {
        Object run() throws Exception;
    }

    /** Runs a call that the server refuses. */
    static void refused(Call call) throws Exception {
        try {
            System.out.println("not refused: " + call.run());
        } catch (KeeperException e) {
            System.out.println("refused: " + e.code());
        }
    }

    static byte[] b(String s) {
        return s.getBytes();
    }

    void creates() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/plain", b("data"), OPEN, CreateMode.PERSISTENT);
        zk.create("/null", null, OPEN, CreateMode.PERSISTENT);
        zk.create("/empty", new byte[0], OPEN, CreateMode.PERSISTENT);
        zk.create("/binary", new byte[] {0, -1, 'a', '"', 127}, OPEN, CreateMode.PERSISTENT);
        zk.create("/\u00e9\u4e2d", b("name"), OPEN, CreateMode.PERSISTENT);
        zk.create("/plain/eph", b("e"), OPEN, CreateMode.EPHEMERAL);
        zk.create("/plain/seq-", b("s"), OPEN, CreateMode.PERSISTENT_SEQUENTIAL);
        zk.create("/plain/eseq-", b("es"), OPEN, CreateMode.EPHEMERAL_SEQUENTIAL);
        zk.create("/plain/", b("only a number"), OPEN, CreateMode.PERSISTENT_SEQUENTIAL);
        zk.create("/container", b("c"), OPEN, CreateMode.CONTAINER);
        Stat stat = new Stat();
        zk.create("/two", b("data"), OPEN, CreateMode.PERSISTENT, stat);
        zk.create("/two/eph", b("data"), OPEN, CreateMode.EPHEMERAL, stat);
        zk.create("/two/seq", b("data"), OPEN, CreateMode.PERSISTENT_SEQUENTIAL, stat);
        zk.create("/container2", b("c"), OPEN, CreateMode.CONTAINER, stat);
        zk.create("/ttl", b("t"), OPEN, CreateMode.PERSISTENT_WITH_TTL, stat, 600000);
        zk.create("/ttl-", b("t"), OPEN, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 1099511627775L);
        zk.create("/acls", b("a"), Arrays.asList(new ACL(Perms.READ | Perms.WRITE, new Id("ip", "127.0.0.1/8")),
            new ACL(Perms.ALL, new Id("digest", "user:+7K83PhyQ3ijGj0ADmljf0quVwQ="))), CreateMode.PERSISTENT);
        refused(() -> zk.create("/plain", b("x"), OPEN, CreateMode.PERSISTENT));
        refused(() -> zk.create("/no/parent", b("x"), OPEN, CreateMode.PERSISTENT));
        refused(() -> zk.create("/plain/eph/child", b("x"), OPEN, CreateMode.PERSISTENT));
        refused(() -> zk.create("/acl1", b("x"), Collections.singletonList(new ACL(31, new Id("nosuch", "x"))),
            CreateMode.PERSISTENT));
        refused(() -> zk.create("/acl2", b("x"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        zk.close();
    }

    void nodes() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/n", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.create("/n/a", b("1"), OPEN, CreateMode.PERSISTENT);
        zk.create("/n/b", null, OPEN, CreateMode.EPHEMERAL);
        zk.exists("/n", false);
        zk.exists("/none", false);
        zk.getData("/n", false, new Stat());
        zk.getData("/n/b", false, new Stat());
        zk.setData("/n", b("2"), 0);
        zk.setData("/n", null, -1);
        zk.getData("/n", false, new Stat());
        zk.getChildren("/n", false);
        zk.getChildren("/n", false, new Stat());
        zk.getChildren("/n/a", false);
        zk.getACL("/n", new Stat());
        zk.setACL("/n", Ids.READ_ACL_UNSAFE, 0);
        zk.getACL("/n", new Stat());
        zk.sync("/n", (rc, path, ctx) -> events.release(), null);
        await(events);
        zk.getEphemerals();
        zk.getEphemerals("/n");
        zk.getEphemerals("/x");
        zk.getAllChildrenNumber("/");
        zk.getAllChildrenNumber("/n");
        zk.getConfig(false, new Stat());
        zk.whoAmI();
        refused(() -> zk.getData("/none", false, null));
        refused(() -> zk.setData("/n/a", b("x"), 9));
        refused(() -> zk.setData("/none", b("x"), -1));
        refused(() -> zk.getChildren("/none", false));
        refused(() -> zk.getACL("/none", null));
        refused(() -> zk.setACL("/n/a", OPEN, 7));
        refused(() -> zk.setACL("/n/a", Collections.emptyList(), -1));
        refused(() -> zk.getAllChildrenNumber("/none"));
        refused(() -> zk.create("/n/c", b("x"), OPEN, CreateMode.PERSISTENT));
        refused(() -> {
            zk.delete("/none", -1);
            return null;
        });
        zk.create("/d", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.create("/d/a", b("0"), OPEN, CreateMode.PERSISTENT);
        refused(() -> {
            zk.delete("/d", -1);
            return null;
        });
        refused(() -> {
            zk.delete("/d/a", 3);
            return null;
        });
        refused(() -> {
            zk.delete("/zookeeper", -1);
            return null;
        });
        zk.delete("/d/a", 0);
        zk.delete("/d", -1);
        zk.close();
    }

    void multis() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/m", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.multi(Arrays.asList(Op.create("/m/a", b("1"), OPEN, CreateMode.PERSISTENT),
            Op.create("/m/e", null, OPEN, CreateMode.EPHEMERAL),
            Op.create("/m/s-", new byte[0], OPEN, CreateMode.PERSISTENT_SEQUENTIAL),
            Op.create("/m/c", b("c"), OPEN, CreateMode.CONTAINER),
            Op.create("/m/t", b("t"), OPEN, CreateMode.PERSISTENT_WITH_TTL, 5000),
            Op.check("/m", 0), Op.setData("/m", b("2"), 0), Op.setData("/m", b("3"), 1),
            Op.delete("/m/a", -1)));
        zk.multi(Collections.emptyList());
        zk.multi(Collections.singletonList(Op.check("/m", -1)));
        refused(() -> zk.multi(Arrays.asList(Op.setData("/m", b("x"), -1), Op.check("/m", 9),
            Op.delete("/m/e", -1))));
        refused(() -> zk.multi(Arrays.asList(Op.delete("/m/none", -1), Op.delete("/m/e", -1))));
        refused(() -> zk.multi(Arrays.asList(Op.create("/m/f", b("x"), OPEN, CreateMode.PERSISTENT),
            Op.create("/m/f", b("x"), OPEN, CreateMode.PERSISTENT))));
        zk.multi(Arrays.asList(Op.getData("/m"), Op.getChildren("/m"), Op.getData("/m/none"),
            Op.getChildren("/m/none"), Op.getData("/m/e")));
        zk.multi(Collections.singletonList(Op.getChildren("/")));
        zk.close();
    }

    void watches() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/w", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.exists("/w/a", watcher);
        zk.getChildren("/w", watcher);
        zk.create("/w/a", b("1"), OPEN, CreateMode.PERSISTENT);
        await(events);
        await(events);
        zk.getData("/w/a", watcher, null);
        zk.setData("/w/a", b("2"), -1);
        await(events);
        zk.getData("/w/a", watcher, null);
        zk.getChildren("/w/a", watcher, null);
        zk.delete("/w/a", -1);
        await(events);
        zk.addWatch("/w", watcher, AddWatchMode.PERSISTENT);
        zk.addWatch("/w", watcher, AddWatchMode.PERSISTENT_RECURSIVE);
        zk.create("/w/b", b("1"), OPEN, CreateMode.PERSISTENT);
        await(events);
        zk.addWatch("/none/yet", watcher, AddWatchMode.PERSISTENT);
        zk.setData("/w/b", b("1"), -1);
        await(events);
        Watcher other = e -> { };
        zk.getData("/w/b", other, null);
        zk.getData("/w/b", watcher, null);
        zk.removeWatches("/w/b", other, Watcher.WatcherType.Data, false);
        zk.removeAllWatches("/w/b", Watcher.WatcherType.Data, false);
        zk.exists("/w/x", watcher);
        zk.getChildren("/w", watcher);
        zk.removeAllWatches("/w/x", Watcher.WatcherType.Any, false);
        zk.removeAllWatches("/w", Watcher.WatcherType.Children, false);
        refused(() -> {
            zk.removeAllWatches("/nothing", Watcher.WatcherType.Any, false);
            return null;
        });
        zk.close();
    }

    /** Watches of every kind, a broken connection, changes meanwhile, watches set again. */
    void again() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/r", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.create("/r/a", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.getData("/r", watcher, null);
        zk.getData("/r/a", watcher, null);
        zk.exists("/r/none", watcher);
        zk.getChildren("/r", watcher);
        System.out.println("CUT");
        await(connected);
        zk.exists("/", false);
        zk.addWatch("/r", watcher, AddWatchMode.PERSISTENT);
        zk.addWatch("/r", watcher, AddWatchMode.PERSISTENT_RECURSIVE);
        System.out.println("CUT");
        await(connected);
        zk.setData("/r", b("1"), -1);
        await(events);
        zk.exists("/", false);
        zk.close();
    }

    void identities() throws Exception {
        ZooKeeperAdmin zk = open(false);
        zk.addAuthInfo("digest", b("user:password"));
        zk.create("/mine", b("x"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.getACL("/mine", null);
        zk.whoAmI();
        zk.close();
        ZooKeeperAdmin other = open(false);
        refused(() -> other.getData("/mine", false, null));
        refused(() -> other.exists("/mine", false));
        refused(() -> other.setData("/mine", b("y"), -1));
        refused(() -> other.getChildren("/mine", false));
        refused(() -> other.getACL("/mine", null));
        refused(() -> other.create("/mine/child", b("y"), OPEN, CreateMode.PERSISTENT));
        refused(() -> other.multi(Arrays.asList(Op.check("/mine", -1))));
        other.addAuthInfo("digest", b("super:test"));
        other.getData("/mine", false, null);
        other.whoAmI();
        refused(() -> other.reconfigure("server.2=127.0.0.1:2:3;4", null, null, -1, null));
        other.close();
        ZooKeeper wrong = open(false);
        wrong.addAuthInfo("nosuch", b("x"));
        refused(() -> wrong.exists("/", false));
        wrong.close();
    }

    void quotas() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/q", b("0"), OPEN, CreateMode.PERSISTENT);
        zk.create("/zookeeper/quota/q", null, OPEN, CreateMode.PERSISTENT);
        zk.create("/zookeeper/quota/q/zookeeper_limits", b("count=-1,bytes=-1=;byteHardLimit=8;countHardLimit=2"), OPEN,
            CreateMode.PERSISTENT);
        zk.create("/zookeeper/quota/q/zookeeper_stats", b("count=0,bytes=0"), OPEN, CreateMode.PERSISTENT);
        zk.create("/q/a", b("1"), OPEN, CreateMode.PERSISTENT);
        refused(() -> zk.create("/q/b", b("1"), OPEN, CreateMode.PERSISTENT));
        refused(() -> zk.setData("/q/a", b("123456789"), -1));
        zk.getData("/zookeeper/quota/q/zookeeper_stats", false, null);
        zk.close();
    }

    /** One refused call and a close: what a differently configured server answers. */
    void ephemeral() throws Exception {
        ZooKeeper zk = open(false);
        refused(() -> zk.create("/local", b("x"), OPEN, CreateMode.EPHEMERAL));
        zk.create("/kept", b("x"), OPEN, CreateMode.PERSISTENT);
        zk.close();
    }

    void ttl() throws Exception {
        ZooKeeper zk = open(false);
        refused(() -> zk.create("/t", b("t"), OPEN, CreateMode.PERSISTENT_WITH_TTL, null, 1000));
        refused(() -> zk.multi(Arrays.asList(Op.create("/t", b("t"), OPEN, CreateMode.PERSISTENT_WITH_TTL, 1000))));
        zk.close();
    }

    void reconfigs() throws Exception {
        ZooKeeperAdmin zk = open(false);
        zk.getConfig(false, new Stat());
        refused(() -> zk.reconfigure("server.2=127.0.0.1:2:3;4", null, null, -1, null));
        zk.addAuthInfo("digest", b("super:test"));
        zk.create("/before", null, OPEN, CreateMode.PERSISTENT);
        String self = new String(zk.getConfig(false, new Stat())).split("\n")[0];
        zk.reconfigure(null, null, self, -1, new Stat());
        refused(() -> zk.reconfigure("server.2=127.0.0.1:2:3;4", null, null, -1, null));
        refused(() -> zk.reconfigure(null, null, self, 1, null));
        refused(() -> zk.reconfigure("nonsense", null, null, -1, null));
        refused(() -> zk.reconfigure(null, "1", null, -1, null));
        zk.close();
    }

    void readonly() throws Exception {
        ZooKeeper zk = open(true);
        zk.exists("/", false);
        zk.getChildren("/", false);
        refused(() -> zk.create("/x", null, OPEN, CreateMode.PERSISTENT));
        refused(() -> {
            zk.sync("/", (rc, path, ctx) -> events.release(), null);
            await(events);
            return zk.setData("/", null, -1);
        });
        zk.close();
    }

    void anyone() throws Exception {
        ZooKeeper zk = open(false);
        refused(() -> zk.exists("/", false));
        zk.close();
    }

    void sasl() throws Exception {
        ZooKeeper zk = open(false);
        zk.create("/sasl", b("x"), Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.getACL("/sasl", null);
        zk.whoAmI();
        zk.close();
    }

    void saslWrong() throws Exception {
        new ZooKeeper(address, 30000, e -> {
            if (e.getState() == KeeperState.AuthFailed) {
                events.release();
            }
        });
        await(events);
    }

    public static void main(String[] args) throws Exception {
        Drive drive = new Drive(args[0]);
        Drive.class.getDeclaredMethod(args[1]).invoke(drive);
        System.out.println("DONE");
        System.exit(0);
    }
}
