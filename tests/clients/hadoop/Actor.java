import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.hadoop.conf.Configuration;

/**
 * A program that is told what to do by lines of its input and says what happens in lines of its output. Everything
 * else (logs) goes to the error output.
 */
abstract class Actor {
    private static final PrintStream OUT;

    static {
        OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true);
        System.setOut(System.err);
    }

    /** What it does when told; the answer, or nothing if what happens speaks for itself. */
    abstract String does(String[] words) throws Exception;

    static void say(String line) {
        synchronized (OUT) {
            OUT.println(line.replace('\n', ' '));
        }
    }

    /** The configuration: arguments key=value over the defaults of the classes in use. */
    static Configuration configuration(String[] args) {
        Configuration conf = new Configuration();
        for (String arg : args) {
            String[] pair = arg.split("=", 2);
            conf.set(pair[0], pair[1]);
        }
        return conf;
    }

    /** Does what it is told until its input ends. */
    final void play() throws Exception {
        say("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                String answer = does(line.trim().split(" "));
                if (answer != null) {
                    say(answer);
                }
            } catch (Exception e) {
                e.printStackTrace();
                say("failed " + line.trim() + ": " + e);
            }
        }
        // Threads of libraries would keep the process.
        Runtime.getRuntime().halt(0);
    }
}
