package org.apache.curator.test;

import java.io.Closeable;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.curator.test.compatibility.Timing2;

/**
 * Stands in for Curator's server in the test's own process: the same face, but each server is the process that
 * the system property {@code oxkeeper.peer} names, started with {@code serve <flags> <zoo.cfg>}.
 *
 * <p>First in the class path, it makes Curator's unchanged tests run against a foreign server. Properties that a
 * test sets for the server ({@code zookeeper.*}, {@code znode.*}, {@code readonlymode.*}) go along as flags.
 */
public class TestingServer implements Closeable {
    private static final long START_MILLIS = 20_000;
    private final InstanceSpec spec;
    private Process process;

    public TestingServer() throws Exception {
        this(-1, true);
    }

    public TestingServer(boolean start) throws Exception {
        this(-1, start);
    }

    public TestingServer(int port) throws Exception {
        this(port, true);
    }

    public TestingServer(int port, boolean start) throws Exception {
        this(port, null, start);
    }

    public TestingServer(int port, File directory) throws Exception {
        this(port, directory, true);
    }

    public TestingServer(int port, File directory, boolean start) throws Exception {
        this(new InstanceSpec(directory, port, -1, -1, true, -1), start);
    }

    public TestingServer(InstanceSpec spec, boolean start) throws Exception {
        this.spec = spec;
        if (start) {
            start();
        }
    }

    public int getPort() {
        return spec.getPort();
    }

    public File getTempDirectory() {
        return spec.getDataDirectory();
    }

    public String getConnectString() {
        return spec.getConnectString();
    }

    public synchronized void start() throws Exception {
        if (process != null) {
            return;
        }
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("oxkeeper.peer"));
        command.add("serve");
        for (String name : new TreeMap<>(System.getProperties()).keySet().toArray(new String[0])) {
            if (name.startsWith("zookeeper.") || name.startsWith("znode.") || name.startsWith("readonlymode.")) {
                command.add("-D" + name + "=" + System.getProperty(name));
            }
        }
        command.add(configuration().getPath());
        File log = new File(spec.getDataDirectory(), "server.log");
        process = new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log))
            .start();
        Process started = process;
        Runtime.getRuntime().addShutdownHook(new Thread(started::destroyForcibly));
        long deadline = System.currentTimeMillis() + START_MILLIS;
        while (!serves()) {
            if (!process.isAlive() || System.currentTimeMillis() > deadline) {
                stop();
                throw new FailedServerStartException("the server does not serve; its log is " + log);
            }
            Thread.sleep(10);
        }
    }

    private File configuration() throws IOException {
        Map<String, Object> settings = new TreeMap<>();
        settings.put("dataDir", new File(spec.getDataDirectory(), "data").getPath());
        settings.put("clientPort", spec.getPort());
        settings.put("clientPortAddress", "127.0.0.1");
        settings.put("admin.enableServer", "false");
        // As Curator configures the server it replaces.
        int tick = spec.getTickTime() >= 0 ? spec.getTickTime() : new Timing2().tickTime();
        settings.put("tickTime", tick);
        settings.put("minSessionTimeout", tick);
        if (spec.getMaxClientCnxns() >= 0) {
            settings.put("maxClientCnxns", spec.getMaxClientCnxns());
        }
        settings.put("4lw.commands.whitelist", "*");
        settings.putAll(spec.getCustomProperties());
        StringBuilder text = new StringBuilder();
        settings.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
        File file = new File(spec.getDataDirectory(), "zoo.cfg");
        Files.createDirectories(spec.getDataDirectory().toPath());
        Files.write(file.toPath(), text.toString().getBytes(StandardCharsets.UTF_8));
        return file;
    }

    private boolean serves() {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress("127.0.0.1", spec.getPort()), 1000);
            socket.setSoTimeout(1000);
            socket.getOutputStream().write("srvr".getBytes(StandardCharsets.US_ASCII));
            InputStream in = socket.getInputStream();
            StringBuilder answer = new StringBuilder();
            for (int next = in.read(); next >= 0; next = in.read()) {
                answer.append((char) next);
            }
            return answer.indexOf("Mode:") >= 0;
        } catch (IOException e) {
            return false;
        }
    }

    public synchronized void stop() throws IOException {
        if (process == null) {
            return;
        }
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        process = null;
    }

    public synchronized void restart() throws Exception {
        stop();
        start();
    }

    @Override
    public synchronized void close() throws IOException {
        stop();
        if (spec.deleteDataDirectoryOnClose() && spec.getDataDirectory() != null) {
            DirectoryUtils.deleteRecursively(spec.getDataDirectory());
        }
    }
}
