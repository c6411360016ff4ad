package specv1;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;

/**
 * Spec-v1 in Java: filters, exact and near deduplication of JSON lines. See ../../spec.md.
 *
 * <pre>java -cp CLASSES specv1.Main IN OUT [THREADS]</pre>
 *
 * <p>Jackson reads and writes JSON; all else is the JDK. Each stage runs on a pool of workers, one
 * for each core; what a worker needs for a document it keeps for the next one.
 */
public final class Main {
    private record Seconds(double wall, double cpu) {}

    private record Report(
            int documents,
            Map<String, Integer> dropped,
            int exact,
            int near,
            int kept,
            Map<String, Seconds> stages) {}

    private final Map<String, Seconds> stages = new LinkedHashMap<>();

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2) {
            System.err.println("usage: java specv1.Main IN OUT [THREADS]");
            System.exit(2);
        }
        int threads =
                arguments.length > 2
                        ? Integer.parseInt(arguments[2])
                        : Runtime.getRuntime().availableProcessors();
        try (Workers workers = new Workers(threads)) {
            Report report =
                    new Main().run(Path.of(arguments[0]), Path.of(arguments[1]), workers);
            System.out.println(new ObjectMapper().writeValueAsString(report));
        }
    }

    private Report run(Path in, Path out, Workers workers) throws Exception {
        Map<String, Integer> dropped = new TreeMap<>();
        List<Document> documents = time("read", () -> Shards.read(in, workers));
        List<Document> good = time("filter", () -> Filter.good(documents, workers, dropped));
        List<Document> distinct = time("exact", () -> Copies.without(good, workers));
        List<Document> kept = time("near", () -> NearCopies.without(distinct, workers));
        time(
                "write",
                () -> {
                    Shards.write(out, kept, workers);
                    return kept;
                });
        return new Report(
                documents.size(),
                dropped,
                good.size() - distinct.size(),
                distinct.size() - kept.size(),
                kept.size(),
                stages);
    }

    private <T> T time(String stage, Callable<T> work) throws Exception {
        var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        long wall = System.nanoTime();
        long cpu = system.getProcessCpuTime();
        T result = work.call();
        stages.put(
                stage,
                new Seconds(
                        (System.nanoTime() - wall) / 1e9,
                        (system.getProcessCpuTime() - cpu) / 1e9));
        return result;
    }
}
