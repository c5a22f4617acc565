import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ha.ActiveStandbyElector;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.util.ZKUtil;
import org.apache.zookeeper.data.ACL;

/** Hadoop's ActiveStandbyElector, set up from the keys that ZKFC reads. */
final class Zkfc extends Actor implements ActiveStandbyElector.ActiveStandbyElectorCallback {
    private final ActiveStandbyElector elector;
    private final byte[] name;

    private Zkfc(Configuration conf) throws Exception {
        name = conf.get("name").getBytes(StandardCharsets.UTF_8);
        List<ACL> acl = ZKUtil.parseACLs(ZKUtil.resolveConfIndirection(conf.get("ha.zookeeper.acl")));
        elector = new ActiveStandbyElector(conf.get("ha.zookeeper.quorum"),
            conf.getInt("ha.zookeeper.session-timeout.ms", 10000), conf.get("parent"), acl,
            SecurityUtil.getZKAuthInfos(conf, "ha.zookeeper.auth"), this, 3, false, null);
    }

    public static void main(String[] args) throws Exception {
        new Zkfc(configuration(args)).play();
    }

    @Override
    String does(String[] words) throws Exception {
        switch (words[0]) {
            case "format":
                elector.ensureParentZNode();
                return "formatted";
            case "join":
                elector.joinElection(name);
                return null;
            case "quit":
                elector.quitElection(false);
                return "gone";
            case "who":
                return "leads " + new String(elector.getActiveData(), StandardCharsets.UTF_8);
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }

    @Override
    public void becomeActive() {
        say("active");
    }

    @Override
    public void becomeStandby() {
        say("standby");
    }

    @Override
    public void enterNeutralMode() {
        say("neutral");
    }

    @Override
    public void notifyFatalError(String why) {
        say("fatal " + why);
    }

    @Override
    public void fenceOldActive(byte[] data) {
        say("fences " + new String(data, StandardCharsets.UTF_8));
    }
}
