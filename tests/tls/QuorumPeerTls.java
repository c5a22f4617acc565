import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import javax.net.ssl.SSLSocket;
import org.apache.zookeeper.common.QuorumX509Util;
import org.apache.zookeeper.server.quorum.UnifiedServerSocket;

/** The two ends of a connection between servers, with ZooKeeper's own classes: four bytes there and back. */
public class QuorumPeerTls {
    public static void main(String[] args) throws Exception {
        QuorumX509Util util = new QuorumX509Util();
        int port = Integer.parseInt(args[1]);
        switch (args[0]) {
            case "connect":
                SSLSocket socket = util.createSSLSocket();
                socket.connect(new InetSocketAddress("127.0.0.1", port), 20000);
                socket.setSoTimeout(20000);
                socket.startHandshake();
                socket.getOutputStream().write("ping".getBytes());
                socket.getOutputStream().flush();
                System.out.println(new String(socket.getInputStream().readNBytes(4)) + " by "
                        + socket.getSession().getProtocol());
                socket.close();
                break;
            case "accept":
                UnifiedServerSocket server = new UnifiedServerSocket(util, Boolean.parseBoolean(args[2]), port);
                System.out.println("listening");
                Socket peer = server.accept();
                InputStream in = peer.getInputStream();
                byte[] four = in.readNBytes(4);
                OutputStream out = peer.getOutputStream();
                out.write("pong".getBytes());
                out.flush();
                boolean tls = ((UnifiedServerSocket.UnifiedSocket) peer).isSecureSocket();
                System.out.println(new String(four) + (tls ? " by TLS" : " plain"));
                peer.close();
                break;
            default:
                throw new IllegalArgumentException(args[0]);
        }
        System.exit(0);
    }
}
