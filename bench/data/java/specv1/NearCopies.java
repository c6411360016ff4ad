package specv1;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Near copies: MinHash of five-token shingles, bands, union-find. */
final class NearCopies {
    private static final int BANDS = 14;
    private static final int ROWS = 8;
    private static final int PERMUTATIONS = BANDS * ROWS;
    private static final long PRIME = (1L << 61) - 1;

    /** Hashes that stay in the first-level cache while all permutations go over them. */
    private static final int BLOCK_HASHES = 2048;

    private static final long[] FACTORS = new long[PERMUTATIONS];
    private static final long[] SUMMANDS = new long[PERMUTATIONS];

    static {
        long state = 1;
        for (int i = 0; i < PERMUTATIONS; i++) {
            state += 0x9E3779B97F4A7C15L;
            FACTORS[i] = 1 + Long.remainderUnsigned(mixed(state), PRIME - 1);
            state += 0x9E3779B97F4A7C15L;
            SUMMANDS[i] = Long.remainderUnsigned(mixed(state), PRIME);
        }
    }

    private NearCopies() {}

    /** The output of SplitMix64 for a state. */
    private static long mixed(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    static List<Document> without(List<Document> documents, Workers workers) throws Exception {
        long[][] signatures = new long[documents.size()][];
        workers.each(
                documents.size(),
                () -> {
                    Shingles shingles = new Shingles();
                    return number -> {
                        shingles.set(documents.get(number).text());
                        signatures[number] = shingles.count == 0 ? null : signature(shingles);
                    };
                });
        int[][] links = new int[BANDS][];
        workers.each(BANDS, () -> band -> links[band] = links(signatures, band));
        int[] parents = new int[documents.size()];
        Arrays.setAll(parents, number -> number);
        for (int[] link : links) {
            for (int number = 0; number < link.length; number++) {
                join(documents, parents, link[number], number);
            }
        }
        List<Document> kept = new ArrayList<>();
        for (int number = 0; number < parents.length; number++) {
            if (root(parents, number) == number) {
                kept.add(documents.get(number));
            }
        }
        return kept;
    }

    private static long[] signature(Shingles shingles) {
        long[] minima = new long[PERMUTATIONS];
        Arrays.fill(minima, PRIME);
        long[] hashes = shingles.hashes;
        for (int start = 0; start < shingles.count; start += BLOCK_HASHES) {
            int end = Math.min(start + BLOCK_HASHES, shingles.count);
            for (int i = 0; i < PERMUTATIONS; i++) {
                minima[i] = least(hashes, start, end, FACTORS[i], SUMMANDS[i], minima[i]);
            }
        }
        return minima;
    }

    private static long least(long[] hashes, int start, int end, long a, long b, long least) {
        for (int i = start; i < end; i++) {
            least = Math.min(least, affine(hashes[i], a, b));
        }
        return least;
    }

    /** (a * hash + b) modulo PRIME for numbers below PRIME, whose products are positive. */
    private static long affine(long hash, long a, long b) {
        long low = hash * a;
        long high = Math.multiplyHigh(hash, a);
        long sum = (low & PRIME) + (high << 3 | low >>> 61) + b;
        return reduced(sum);
    }

    /** A positive number modulo PRIME. */
    static long reduced(long number) {
        long sum = (number & PRIME) + (number >>> 61);
        return sum >= PRIME ? sum - PRIME : sum;
    }

    /** For each document the first one that is equal in a band, or itself. */
    private static int[] links(long[][] signatures, int band) {
        record Key(long[] signature, int start) {
            @Override
            public boolean equals(Object object) {
                return object instanceof Key other
                        && Arrays.equals(
                                signature,
                                start,
                                start + ROWS,
                                other.signature,
                                start,
                                start + ROWS);
            }

            @Override
            public int hashCode() {
                // Minima are evenly spread already.
                return Long.hashCode(signature[start] * 31 + signature[start + 1]);
            }
        }
        int[] links = new int[signatures.length];
        Map<Key, Integer> first = new HashMap<>(2 * signatures.length);
        for (int number = 0; number < links.length; number++) {
            links[number] = number;
            if (signatures[number] != null) {
                Integer other =
                        first.putIfAbsent(new Key(signatures[number], band * ROWS), number);
                links[number] = other == null ? number : other;
            }
        }
        return links;
    }

    private static int root(int[] parents, int number) {
        while (parents[number] != number) {
            parents[number] = parents[parents[number]];
            number = parents[number];
        }
        return number;
    }

    /** Joins two clusters; the document with the smallest id is the root. */
    private static void join(List<Document> documents, int[] parents, int one, int other) {
        int left = root(parents, one);
        int right = root(parents, other);
        if (left == right) {
            return;
        }
        if (Text.compare(documents.get(left).id(), documents.get(right).id()) < 0) {
            parents[right] = left;
        } else {
            parents[left] = right;
        }
    }
}
