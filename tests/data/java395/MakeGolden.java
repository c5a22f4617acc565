// Drives a ZooKeeper 3.9.5 server so that its log and snapshots contain every kind of transaction.
// Use: java MakeGolden <host:port> <1|2>
import java.util.*;
import org.apache.zookeeper.*;
import org.apache.zookeeper.data.*;
import static org.apache.zookeeper.ZooDefs.Ids.*;
import static org.apache.zookeeper.CreateMode.*;

public class MakeGolden {
    static ZooKeeper open(String where) throws Exception {
        java.util.concurrent.CountDownLatch up = new java.util.concurrent.CountDownLatch(1);
        ZooKeeper zk = new ZooKeeper(where, 30000, e -> up.countDown());
        up.await();
        return zk;
    }

    static void refused(java.util.concurrent.Callable<?> c) throws Exception {
        try { c.call(); throw new IllegalStateException("not refused"); } catch (KeeperException e) { }
    }

    public static void main(String[] a) throws Exception {
        ZooKeeper zk = open(a[0]);
        zk.addAuthInfo("digest", "u:p".getBytes());
        Random random = new Random(Integer.parseInt(a[1]));
        String top = "/part" + a[1];
        List<ACL> own = Arrays.asList(new ACL(ZooDefs.Perms.ALL, new Id("auth", "")));
        List<ACL> mixed = new ArrayList<>(READ_ACL_UNSAFE);
        mixed.addAll(own);
        zk.create(top, null, OPEN_ACL_UNSAFE, PERSISTENT);
        zk.create(top + "/empty", new byte[0], OPEN_ACL_UNSAFE, PERSISTENT);
        zk.create(top + "/own", "secret".getBytes(), own, PERSISTENT, new Stat());
        zk.create(top + "/\u00e9\u20ac", "\u00e9".getBytes("UTF-8"), mixed, PERSISTENT);
        zk.setACL(top + "/empty", mixed, -1);
        zk.create(top + "/container", new byte[0], OPEN_ACL_UNSAFE, CONTAINER);
        zk.create(top + "/container/x", new byte[0], OPEN_ACL_UNSAFE, PERSISTENT);
        zk.create(top + "/ttl", new byte[3], OPEN_ACL_UNSAFE, PERSISTENT_WITH_TTL, new Stat(), 3600_000_000L);
        for (int i = 0; i < 5; i++) zk.create(top + "/seq-", null, OPEN_ACL_UNSAFE, PERSISTENT_SEQUENTIAL);
        zk.create("/zookeeper/quota" + top, null, OPEN_ACL_UNSAFE, PERSISTENT);
        zk.create("/zookeeper/quota" + top + "/zookeeper_limits", "count=1000,bytes=100000=;byteHardLimit=200000;countHardLimit=2000".getBytes(), OPEN_ACL_UNSAFE, PERSISTENT);
        zk.create("/zookeeper/quota" + top + "/zookeeper_stats", "count=0,bytes=0".getBytes(), OPEN_ACL_UNSAFE, PERSISTENT);
        refused(() -> zk.create(top, null, OPEN_ACL_UNSAFE, PERSISTENT));
        refused(() -> { zk.delete(top, -1); return 0; });
        refused(() -> zk.setData(top, null, 77));
        zk.multi(Arrays.asList(
            Op.check(top, 0),
            Op.create(top + "/m", "1".getBytes(), OPEN_ACL_UNSAFE, PERSISTENT),
            Op.setData(top + "/m", "22".getBytes(), 0),
            Op.create(top + "/m/n", null, OPEN_ACL_UNSAFE, CONTAINER),
            Op.create(top + "/m/t", null, OPEN_ACL_UNSAFE, PERSISTENT_WITH_TTL, 3600_000_000L),
            Op.delete(top + "/m/n", -1)));
        refused(() -> zk.multi(Arrays.asList(Op.create(top + "/no", null, OPEN_ACL_UNSAFE, PERSISTENT), Op.check(top, 5), Op.delete(top + "/m", -1))));
        ZooKeeper other = open(a[0]);
        for (int i = 0; i < 3; i++) other.create(top + "/e" + i, ("e" + i).getBytes(), OPEN_ACL_UNSAFE, EPHEMERAL);
        other.close();
        ZooKeeper dying = open(a[0]);
        dying.create(top + "/lives", "on".getBytes(), OPEN_ACL_UNSAFE, EPHEMERAL);
        List<String> live = new ArrayList<>(Arrays.asList(top));
        for (int i = 0; i < 500; i++) {
            String at = live.get(random.nextInt(live.size()));
            int what = random.nextInt(10);
            if (what < 5) {
                String path = at + "/" + (char) ('a' + random.nextInt(6));
                if (zk.exists(path, false) == null) { zk.create(path, new byte[random.nextInt(60)], random.nextBoolean() ? OPEN_ACL_UNSAFE : mixed, PERSISTENT); live.add(path); }
            } else if (what < 8) {
                zk.setData(at, random.nextInt(5) == 0 ? null : new byte[random.nextInt(300)], -1);
            } else if (zk.getChildren(at, false).isEmpty() && live.size() > 1) {
                zk.delete(at, -1); live.remove(at);
            }
        }
        // Neither session is closed: the ephemeral stays in the snapshot.
        Runtime.getRuntime().halt(0);
    }
}
