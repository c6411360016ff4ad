package specv1;

import java.util.Arrays;

/** Counts pairs of numbers in a table whose arrays are used again. */
final class Pairs {
    private long[] keys = new long[1 << 13];
    int[] counts = new int[1 << 13];
    int size;

    /** Empties the table; it takes as many pairs as given. */
    void start(int pairs) {
        size = Integer.highestOneBit(Math.max(1, pairs)) << 2;
        if (counts.length < size) {
            counts = new int[size];
            keys = new long[size];
        } else {
            Arrays.fill(counts, 0, size, 0);
        }
    }

    void add(int left, int right) {
        long key = (long) left << 32 | right;
        int mask = size - 1;
        int at = (int) (key * 0x9E3779B97F4A7C15L >>> 32) & mask;
        while (counts[at] > 0 && keys[at] != key) {
            at = at + 1 & mask;
        }
        keys[at] = key;
        counts[at]++;
    }

    int left(int slot) {
        return (int) (keys[slot] >>> 32);
    }

    int right(int slot) {
        return (int) keys[slot];
    }
}
