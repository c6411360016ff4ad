package specv1;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** A fixed pool; each worker takes the next number until none is left. */
final class Workers implements AutoCloseable {
    /** What a worker does with one number. */
    interface Work {
        void on(int number) throws Exception;
    }

    private final int threads;
    private final ExecutorService pool;

    Workers(int threads) {
        this.threads = threads;
        this.pool = Executors.newFixedThreadPool(threads);
    }

    /** Runs work for the numbers below count; start makes a worker with a state of its own. */
    void each(int count, Supplier<Work> start) throws Exception {
        AtomicInteger next = new AtomicInteger();
        List<Callable<Void>> tasks = new ArrayList<>();
        for (int i = 0; i < Math.min(threads, count); i++) {
            tasks.add(
                    () -> {
                        Work work = start.get();
                        for (int number; (number = next.getAndIncrement()) < count; ) {
                            work.on(number);
                        }
                        return null;
                    });
        }
        for (Future<Void> future : pool.invokeAll(tasks)) {
            future.get();
        }
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
