import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.ha.HAServiceProtocol.HAServiceState;
import org.apache.hadoop.security.token.delegation.DelegationKey;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.resourcemanager.ResourceManager;
import org.apache.hadoop.yarn.server.resourcemanager.recovery.RMStateStore;

/** YARN's ResourceManager without its web pages: leader election and ZKRMStateStore are its own. */
final class Rm extends Actor {
    private final ResourceManager rm;

    private Rm(Configuration conf) {
        rm = new ResourceManager() {
            @Override
            protected void startWepApp() {
                // Nobody looks at it.
            }
        };
        rm.init(new YarnConfiguration(conf));
        rm.start();
        Thread watch = new Thread(this::watch, "states");
        watch.setDaemon(true);
        watch.start();
    }

    public static void main(String[] args) throws Exception {
        new Rm(configuration(args)).play();
    }

    private void watch() {
        HAServiceState last = null;
        while (true) {
            HAServiceState state = rm.getRMContext().getHAServiceState();
            if (state != last && state != null) {
                say(state.toString());
                last = state;
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private RMStateStore store() {
        return rm.getRMContext().getStateStore();
    }

    @Override
    String does(String[] words) throws Exception {
        switch (words[0]) {
            case "store":
                int number = Integer.parseInt(words[1]);
                try {
                    // Below zero: the ResourceManager numbers its own upwards from the highest there is.
                    store().storeRMDTMasterKey(new DelegationKey(-number, Long.MAX_VALUE, words[1].getBytes()));
                } catch (Exception e) {
                    // A store that was refused gives up the lead; what it holds is asked of the next leader.
                    e.printStackTrace();
                }
                return "asked " + number;
            case "keys":
                Set<Integer> keys = new TreeSet<>();
                for (DelegationKey key : store().loadState().getRMDTSecretManagerState().getMasterKeyState()) {
                    if (key.getKeyId() < 0) {
                        keys.add(-key.getKeyId());
                    }
                }
                return "keys " + keys;
            case "stop":
                rm.stop();
                return "gone";
            default:
                throw new IllegalArgumentException(words[0]);
        }
    }
}
