package specv1;

import java.util.Arrays;

/** Parts of a text, and a table that tells which of them are equal. All arrays are used again. */
final class Spans {
    private final Text text;
    int[] starts = new int[1 << 12];
    int[] ends = new int[1 << 12];
    private int[] hashes = new int[1 << 12];
    int count;

    /** The number of a span, plus one; 0 is an empty slot. */
    private int[] slots = new int[1 << 13];

    private int mask;

    Spans(Text text) {
        this.text = text;
    }

    void clear() {
        count = 0;
    }

    void add(int start, int end, int hash) {
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
            hashes = Arrays.copyOf(hashes, 2 * count);
        }
        starts[count] = start;
        ends[count] = end;
        hashes[count++] = hash;
    }

    /** Empties the table. */
    void startNumbers() {
        int size = Integer.highestOneBit(Math.max(1, count)) << 2;
        if (slots.length < size) {
            slots = new int[size];
        } else {
            Arrays.fill(slots, 0, size, 0);
        }
        mask = size - 1;
    }

    /** The first span asked for that has the same text. */
    int number(int span) {
        char[] units = text.units;
        int hash = hashes[span];
        for (int at = hash * 0x9E3779B9 >>> 7 & mask; ; at = at + 1 & mask) {
            int other = slots[at] - 1;
            if (other < 0) {
                slots[at] = span + 1;
                return span;
            }
            if (hashes[other] == hash
                    && Arrays.equals(
                            units, starts[other], ends[other], units, starts[span], ends[span])) {
                return other;
            }
        }
    }

    int compare(int one, int other) {
        char[] units = text.units;
        return one == other
                ? 0
                : Text.compare(
                        units, starts[one], ends[one], units, starts[other], ends[other]);
    }

    /** Whether one of two spans begins with the other. */
    boolean isPrefix(int one, int other) {
        char[] units = text.units;
        int size = Math.min(ends[one] - starts[one], ends[other] - starts[other]);
        return Arrays.equals(
                units,
                starts[one],
                starts[one] + size,
                units,
                starts[other],
                starts[other] + size);
    }

    String text(int span) {
        return new String(text.units, starts[span], ends[span] - starts[span]);
    }
}
