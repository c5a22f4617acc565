import java.util.ArrayList;
import java.util.List;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.data.ClientInfo;

/**
 * Logs in by each section of the JAAS file at each server and says what became of it.
 *
 * usage: Drive case=section[:server principal] ... -- name=address ...
 * One line a login: case, tab, server, tab, "in as ID", "anonymous" or "refused (why)".
 */
public class Drive {
    public static void main(String[] args) throws Exception {
        List<String> cases = new ArrayList<>();
        List<String> servers = new ArrayList<>();
        boolean behind = false;
        for (String arg : args) {
            if (arg.equals("--")) {
                behind = true;
            } else {
                (behind ? servers : cases).add(arg);
            }
        }
        List<Thread> threads = new ArrayList<>();
        for (String server : servers) {
            Thread thread = new Thread(() -> {
                for (String one : cases) {
                    String[] is = one.split("=", 2);
                    String[] at = server.split("=", 2);
                    // A server of one mechanism is asked by the cases of that mechanism.
                    if (!is[0].equals("none") && is[0].startsWith("digest") != at[0].startsWith("digest")) {
                        continue;
                    }
                    String outcome;
                    try {
                        outcome = login(at[1], is[1].split(":", 2));
                    } catch (Exception e) {
                        outcome = "refused (" + e + ")";
                    }
                    synchronized (Drive.class) {
                        System.out.println("\n" + is[0] + "\t" + at[0] + "\t" + outcome);
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        for (Thread thread : threads) {
            thread.join();
        }
        System.exit(0);
    }

    static String login(String address, String[] how) throws Exception {
        ZKClientConfig config = new ZKClientConfig();
        if (how[0].equals("-")) {
            config.setProperty(ZKClientConfig.ENABLE_CLIENT_SASL_KEY, "false");
        } else {
            config.setProperty(ZKClientConfig.LOGIN_CONTEXT_NAME_KEY, how[0]);
            config.setProperty(ZKClientConfig.ZOOKEEPER_SERVER_PRINCIPAL, how[1]);
        }
        ZooKeeper zk = new ZooKeeper(address, 30000, event -> { }, false, config);
        long deadline = System.nanoTime() + 12_000_000_000L;
        try {
            while (true) {
                try {
                    // whoAmI itself keeps a server's error for itself.
                    zk.exists("/", false);
                    for (ClientInfo info : zk.whoAmI()) {
                        if (info.getAuthScheme().equals("sasl")) {
                            return "in as " + info.getUser();
                        }
                    }
                    return "anonymous";
                } catch (KeeperException.ConnectionLossException e) {
                    if (System.nanoTime() > deadline) {
                        return "refused (connection lost)";
                    }
                    Thread.sleep(100);
                } catch (KeeperException e) {
                    return "refused (" + e.code() + ")";
                }
            }
        } finally {
            zk.close(3000);
        }
    }
}
