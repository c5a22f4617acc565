import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.sasl.AuthorizeCallback;
import org.apache.zookeeper.server.auth.KerberosName;
import org.apache.zookeeper.server.auth.SaslServerCallbackHandler;

/** Reads "rules TAB removeHost TAB removeRealm TAB name" and prints what ZooKeeper's server makes of each. */
public class Names {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] f = line.split("\t", -1);
            out.println(one(f[0], f[1], f[2], f[3]));
        }
        out.flush();
    }

    static String one(String rules, String host, String realm, String name) {
        System.setProperty("zookeeper.security.auth_to_local", rules);
        System.setProperty("zookeeper.kerberos.removeHostFromPrincipal", host);
        System.setProperty("zookeeper.kerberos.removeRealmFromPrincipal", realm);
        try {
            KerberosName.setConfiguration();
        } catch (Exception e) {
            return "BADRULES";
        }
        String unmapped = "\u0001unmapped";
        AuthorizeCallback ask = new AuthorizeCallback(name, unmapped);
        try {
            new SaslServerCallbackHandler(Map.of()).handle(new Callback[] {ask});
        } catch (Exception e) {
            return "FAIL";
        }
        String id = ask.getAuthorizedID();
        return unmapped.equals(id) ? "FAIL" : "OK\t" + id;
    }
}
