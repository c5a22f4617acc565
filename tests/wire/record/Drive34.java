import java.util.Arrays;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Java client of 3.4: everything it can ask, through the recording proxy. */
public class Drive34 implements Watcher {
    final Semaphore connected = new Semaphore(0);
    final Semaphore events = new Semaphore(0);

    public void process(WatchedEvent e) {
        if (e.getType() == Event.EventType.None) {
            if (e.getState() == KeeperState.SyncConnected) {
                connected.release();
            }
        } else {
            events.release();
        }
    }

    static void await(Semaphore s) throws Exception {
        if (!s.tryAcquire(20, TimeUnit.SECONDS)) {
            throw new IllegalStateException("nothing came");
        }
    }

    static byte[] b(String s) {
        return s.getBytes();
    }

    void run(String address) throws Exception {
        ZooKeeper zk = new ZooKeeper(address, 30000, this);
        await(connected);
        zk.addAuthInfo("digest", b("old:client"));
        zk.create("/o", b("0"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/o/null", null, Ids.CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        zk.create("/o/e", b("e"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create("/o/s-", b("s"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL);
        zk.create("/o/es-", b("s"), Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
        zk.exists("/o", true);
        zk.getData("/o", true, new Stat());
        zk.getChildren("/o", true);
        zk.getChildren("/o", false, new Stat());
        zk.getACL("/o/null", new Stat());
        zk.setACL("/o/null", Ids.OPEN_ACL_UNSAFE, 0);
        zk.sync("/o", (rc, path, ctx) -> events.release(), null);
        await(events);
        zk.exists("/o/later", true);
        System.out.println("CUT");
        await(connected);
        zk.setData("/o", b("1"), 0);
        await(events);
        zk.create("/o/later", b("x"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        await(events);
        await(events);
        zk.multi(Arrays.asList(Op.check("/o", 1), Op.create("/o/m", b("m"), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData("/o/m", b("n"), 0), Op.delete("/o/m", -1)));
        try {
            zk.multi(Arrays.asList(Op.check("/o", 1), Op.delete("/none", -1), Op.setData("/o", b("z"), -1)));
        } catch (KeeperException e) {
            System.out.println("refused: " + e.code());
        }
        try {
            zk.delete("/o", -1);
        } catch (KeeperException e) {
            System.out.println("refused: " + e.code());
        }
        zk.delete("/o/later", 0);
        zk.close();
    }

    public static void main(String[] args) throws Exception {
        new Drive34().run(args[0]);
        System.out.println("DONE");
        System.exit(0);
    }
}
