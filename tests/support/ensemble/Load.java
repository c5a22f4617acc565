import java.io.FileWriter;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Load by Java's own client with a recorded history: see history.rs for the lines, load.rs for the arguments.
 *
 * usage: Load name servers clients pause-ms session-ms history
 */
public class Load {
    static final String ROOT = "/load";
    static final int KEYS = 8;
    static PrintWriter out;
    static String stop;

    static boolean stopped() {
        return Files.exists(Paths.get(stop));
    }

    static synchronized void write(String line) {
        out.println(line);
        out.flush();
    }

    public static void main(String[] args) throws Exception {
        out = new PrintWriter(new FileWriter(args[5]));
        stop = args[5] + ".stop";
        List<Thread> hands = new ArrayList<>();
        for (int n = 0; n < Integer.parseInt(args[2]); n++) {
            List<String> servers = new ArrayList<>(Arrays.asList(args[1].split(",")));
            Collections.rotate(servers, -n);
            Hand hand = new Hand(args[0] + "-" + n, String.join(",", servers), Integer.parseInt(args[3]),
                Integer.parseInt(args[4]), n);
            Thread thread = new Thread(hand);
            thread.start();
            hands.add(thread);
        }
        for (Thread hand : hands) {
            hand.join();
        }
        System.exit(0);
    }

    interface Call {
        Object[] run() throws KeeperException, InterruptedException;
    }

    static class Hand implements Runnable, Watcher {
        final String who;
        final String servers;
        final int pause;
        final int session;
        final Random random;
        volatile ZooKeeper zk;
        long done;

        Hand(String who, String servers, int pause, int session, int n) {
            this.who = who;
            this.servers = servers;
            this.pause = pause;
            this.session = session;
            this.random = new Random(n);
        }

        String head(String act, String key, String value, long begin) {
            ZooKeeper now = zk;
            return String.format("{\"client\":\"%s\",\"session\":%d,\"act\":\"%s\",\"key\":\"%s\",\"value\":\"%s\",\"begin\":%d",
                who, now == null ? 0 : now.getSessionId(), act, key, value, begin);
        }

        public void process(WatchedEvent event) {
            boolean expired = event.getState() == Event.KeeperState.Expired;
            if (expired || event.getState() == Event.KeeperState.SyncConnected) {
                long now = System.nanoTime();
                write(head(expired ? "expired" : "connected", "", "", now) + ",\"end\":" + now + "}");
            }
        }

        /** Returns the version, or -1 if there was no success. */
        int ask(String act, String key, String value, Call call) throws InterruptedException {
            long begin = System.nanoTime();
            String failure;
            boolean known = true;
            try {
                Object[] answer = call.run();
                long end = System.nanoTime();
                write(head(act, key, (String) answer[0], begin)
                    + String.format(",\"end\":%d,\"zxid\":%d,\"version\":%d}", end, (Long) answer[1], (Integer) answer[2]));
                return (Integer) answer[2];
            } catch (KeeperException.ConnectionLossException | KeeperException.SessionExpiredException
                | KeeperException.RequestTimeoutException e) {
                failure = e.code().toString();
                known = false;
            } catch (KeeperException e) {
                failure = e.code().toString();
            }
            String end = known ? ",\"end\":" + System.nanoTime() : "";
            write(head(act, key, value, begin) + end + ",\"failure\":\"" + failure + "\"}");
            return -1;
        }

        int read(String key) throws InterruptedException {
            return ask("get", key, "", () -> {
                Stat stat = new Stat();
                byte[] data = zk.getData(key, false, stat);
                return new Object[] {new String(data == null ? new byte[0] : data, StandardCharsets.UTF_8), stat.getMzxid(), stat.getVersion()};
            });
        }

        void set(String act, String key, String value, int version) throws InterruptedException {
            ask(act, key, value, () -> {
                Stat stat = zk.setData(key, value.getBytes(StandardCharsets.UTF_8), version);
                return new Object[] {value, stat.getMzxid(), stat.getVersion()};
            });
        }

        void create(String key) throws InterruptedException {
            ask("create", key, key, () -> {
                Stat stat = new Stat();
                zk.create(key, new byte[] {'c'}, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
                return new Object[] {key, stat.getCzxid(), 0};
            });
        }

        void step() throws InterruptedException {
            done++;
            String value = who + "-" + done;
            String key = ROOT + "/r" + random.nextInt(KEYS);
            int choice = random.nextInt(100);
            if (choice < 45) {
                read(key);
            } else if (choice < 80) {
                set("set", key, value, -1);
            } else if (choice < 90) {
                int version = read(key);
                if (version >= 0) {
                    set("cas", key, value, version);
                }
            } else {
                create(ROOT + "/c/" + value);
            }
            Thread.sleep(pause);
        }

        void prepare() throws InterruptedException {
            List<String> paths = new ArrayList<>(Arrays.asList(ROOT, ROOT + "/c"));
            for (int n = 0; n < KEYS; n++) {
                paths.add(ROOT + "/r" + n);
            }
            for (String path : paths) {
                while (!stopped()) {
                    try {
                        zk.create(path, new byte[0], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
                        break;
                    } catch (KeeperException.NodeExistsException e) {
                        break;
                    } catch (KeeperException e) {
                        Thread.sleep(50);
                    }
                }
            }
        }

        public void run() {
            try {
                while (!stopped()) {
                    zk = new ZooKeeper(servers, session, this);
                    prepare();
                    while (!stopped() && zk.getState().isAlive()) {
                        step();
                    }
                    zk.close();
                }
            } catch (Exception e) {
                e.printStackTrace();
                System.exit(1);
            }
        }
    }
}
