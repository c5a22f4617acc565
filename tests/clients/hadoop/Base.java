import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.Abortable;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.util.Bytes;
import org.apache.hadoop.hbase.zookeeper.RecoverableZooKeeper;
import org.apache.hadoop.hbase.zookeeper.ZKAuthentication;
import org.apache.hadoop.hbase.zookeeper.ZKUtil;
import org.apache.hadoop.hbase.zookeeper.ZKWatcher;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Stat;

/** HBase's ZKWatcher: as the master at its start, or as a client of another principal. */
final class Base extends Actor implements Abortable {
    private final ZKWatcher watcher;

    private Base(Configuration conf) throws Exception {
        UserGroupInformation.setConfiguration(conf);
        String principal = conf.get("hbase.zookeeper.client.kerberos.principal");
        String keytab = conf.get("hbase.zookeeper.client.keytab.file");
        if (keytab != null) {
            UserGroupInformation.loginUserFromKeytab(principal, keytab);
            ZKAuthentication.loginClient(conf, "hbase.zookeeper.client.keytab.file",
                "hbase.zookeeper.client.kerberos.principal", "localhost");
        } else {
            UserGroupInformation.getLoginUser();
        }
        watcher = new ZKWatcher(conf, "test", this, conf.getBoolean("master", false));
    }

    public static void main(String[] args) throws Exception {
        new Base(HBaseConfiguration.create(configuration(args))).play();
    }

    private RecoverableZooKeeper zk() {
        return watcher.getRecoverableZooKeeper();
    }

    @Override
    String does(String[] words) throws Exception {
        switch (words[0]) {
            case "user":
                return "user " + UserGroupInformation.getCurrentUser().getShortUserName();
            case "check":
                watcher.checkAndSetZNodeAcls();
                return "checked";
            case "create":
                ZKUtil.createSetData(watcher, words[1], Bytes.toBytes("x"));
                return "created";
            case "serve":
                return "serves " + ZKUtil.createEphemeralNodeAndWatch(watcher, words[1], Bytes.toBytes("x"));
            case "open":
                // As a cluster leaves it that was not secure yet.
                zk().setAcl(words[1], ZooDefs.Ids.OPEN_ACL_UNSAFE, -1);
                return "opened";
            case "acls":
                return "acls " + acls(words[1]);
            case "read":
                return "reads " + tried(() -> Bytes.toString(ZKUtil.getData(watcher, words[1])));
            case "list":
                return "lists " + tried(() -> "" + new TreeSet<>(zk().getChildren(words[1], false)));
            case "delete":
                return "deletes " + tried(() -> {
                    zk().delete(words[1], -1);
                    return "it";
                });
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    private interface Attempt {
        String make() throws Exception;
    }

    private static String tried(Attempt attempt) throws Exception {
        try {
            return attempt.make();
        } catch (KeeperException e) {
            return e.code().toString();
        }
    }

    /** ACL and its version of a znode and of all below it, in one line. */
    private String acls(String path) throws Exception {
        List<String> found = new ArrayList<>();
        Stat stat = new Stat();
        List<String> entries = new ArrayList<>();
        for (ACL acl : zk().getAcl(path, stat)) {
            entries.add(acl.getId().getScheme() + ":" + acl.getId().getId() + ":" + acl.getPerms());
        }
        found.add(path + "=" + new TreeSet<>(entries) + " v" + stat.getAversion());
        for (String child : new TreeSet<>(zk().getChildren(path, false))) {
            found.add(acls(path + "/" + child));
        }
        return String.join("; ", found);
    }

    @Override
    public void abort(String why, Throwable e) {
        say("aborts " + why);
    }

    @Override
    public boolean isAborted() {
        return false;
    }
}
