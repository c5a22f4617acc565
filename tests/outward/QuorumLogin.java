import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Arrays;
import java.util.HashSet;
import org.apache.zookeeper.server.quorum.auth.SaslQuorumAuthLearner;
import org.apache.zookeeper.server.quorum.auth.SaslQuorumAuthServer;

/**
 * Java's side of a login between servers.
 *
 * usage: QuorumLogin server section host,host  prints its port, then the outcome of one learner
 *        QuorumLogin learner section service port  prints the outcome
 */
public class QuorumLogin {
    public static void main(String[] args) throws Exception {
        String outcome = "in";
        try {
            if (args[0].equals("server")) {
                SaslQuorumAuthServer server =
                    new SaslQuorumAuthServer(true, args[1], new HashSet<>(Arrays.asList(args[2].split(","))));
                ServerSocket listener = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));
                System.out.println("port " + listener.getLocalPort());
                Socket socket = listener.accept();
                socket.setSoTimeout(20000);
                server.authenticate(socket, new DataInputStream(new BufferedInputStream(socket.getInputStream())));
            } else {
                SaslQuorumAuthLearner learner = new SaslQuorumAuthLearner(true, args[2], args[1]);
                Socket socket = new Socket("127.0.0.1", Integer.parseInt(args[3]));
                socket.setSoTimeout(20000);
                learner.authenticate(socket, "localhost");
            }
        } catch (Throwable e) {
            outcome = "refused " + e;
        }
        System.out.println("outcome " + outcome);
        System.exit(0);
    }
}
