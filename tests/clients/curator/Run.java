import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs JUnit tests and writes one line a test: outcome, Class#method, reason and
 * milliseconds, with tabs between.
 *
 * <p>Arguments: the result file, then classes or Class#method names.
 */
public final class Run {
    /** Longer than any test of the suites that works; one that hangs is failed and the rest goes on. */
    private static final String LIMIT = "120 s";

    public static void main(String[] args) throws Exception {
        List<DiscoverySelector> wanted = new ArrayList<>();
        for (int i = 1; i < args.length; i++) {
            wanted.add(args[i].contains("#")
                ? DiscoverySelectors.selectMethod(args[i])
                : DiscoverySelectors.selectClass(args[i]));
        }
        Launcher launcher = LauncherFactory.create();
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(Paths.get(args[0])), true)) {
            launcher.registerTestExecutionListeners(new Lines(out));
            launcher.execute(LauncherDiscoveryRequestBuilder.request()
                .selectors(wanted)
                .configurationParameter("junit.jupiter.execution.timeout.default", LIMIT)
                .build());
        }
        // Clients that a failed test left open would keep the process.
        Runtime.getRuntime().halt(0);
    }

    private static final class Lines implements TestExecutionListener {
        private final PrintWriter out;
        private final Map<String, Long> started = new ConcurrentHashMap<>();

        Lines(PrintWriter out) {
            this.out = out;
        }

        @Override
        public void executionStarted(TestIdentifier test) {
            started.put(test.getUniqueId(), System.nanoTime());
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            write(test, "skipped", reason);
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            String outcome = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL ? "passed"
                : result.getStatus() == TestExecutionResult.Status.ABORTED ? "skipped" : "failed";
            write(test, outcome, result.getThrowable().map(Throwable::toString).orElse(""));
        }

        private void write(TestIdentifier test, String outcome, String reason) {
            // A class whose set-up failed stands for its tests.
            if (!test.isTest() && !outcome.equals("failed")) {
                return;
            }
            String name = test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
                .map(m -> m.getClassName() + "#" + m.getMethodName()).orElse(test.getUniqueId());
            if (!test.getDisplayName().endsWith("()")) {
                name += " " + test.getDisplayName().replaceAll("\\s+", " ");
            }
            long took = System.nanoTime() - started.getOrDefault(test.getUniqueId(), System.nanoTime());
            out.println(outcome + "\t" + name + "\t" + reason.replaceAll("\\s+", " ") + "\t" + took / 1_000_000);
        }
    }
}
