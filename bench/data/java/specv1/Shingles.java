package specv1;

import java.util.Arrays;

/** The hashes of a text's shingles. One object for each worker; its arrays are used again. */
final class Shingles {
    private static final int WIDTH = 5;

    /** The lower case of what belongs to a token, 0 for what does not. */
    private static final byte[] LOWER = new byte[128];

    static {
        for (int c = 0; c < LOWER.length; c++) {
            LOWER[c] = (byte) (isToken(c) ? Character.toLowerCase(c) : 0);
        }
    }

    private final Text text = new Text();

    /** Tokens in lower case as UTF-8, a blank behind each. */
    private byte[] tokens = new byte[1 << 16];

    private int size;
    private int[] starts = new int[1 << 12];
    private int tokenCount;
    private boolean inside;

    /** Modulo the prime of the permutations. */
    long[] hashes = new long[1 << 12];

    int count;

    private static boolean isToken(int point) {
        return point == '_' || Character.isLetter(point) || Character.isDigit(point);
    }

    void set(String document) {
        text.set(document);
        split();
        count = Math.max(0, tokenCount - WIDTH + 1);
        if (hashes.length < count) {
            hashes = new long[2 * count];
        }
        for (int i = 0; i < count; i++) {
            long hash = Xxh64.hash(tokens, starts[i], starts[i + WIDTH] - 1);
            hashes[i] = NearCopies.reduced((hash & (1L << 61) - 1) + (hash >>> 61));
        }
    }

    private void split() {
        // A unit of UTF-16 takes at most three bytes, and a blank may follow.
        if (tokens.length < 4 * text.size + 1) {
            tokens = new byte[8 * text.size];
        }
        char[] units = text.units;
        size = tokenCount = 0;
        inside = false;
        for (int at = 0; at < text.size; ) {
            char c = units[at];
            if (c < 128) {
                byte low = LOWER[c];
                if (low == 0) {
                    end();
                } else {
                    begin();
                    tokens[size++] = low;
                }
                at++;
            } else {
                int point = Character.codePointAt(units, at, text.size);
                at += Character.charCount(point);
                int low = Character.toLowerCase(point);
                if (isToken(low)) {
                    begin();
                    append(low);
                } else {
                    end();
                }
            }
        }
        end();
        note();
    }

    private void begin() {
        if (!inside) {
            inside = true;
            note();
            tokenCount++;
        }
    }

    private void end() {
        if (inside) {
            inside = false;
            tokens[size++] = ' ';
        }
    }

    private void note() {
        if (tokenCount == starts.length) {
            starts = Arrays.copyOf(starts, 2 * tokenCount);
        }
        starts[tokenCount] = size;
    }

    private void append(int point) {
        if (point < 0x80) {
            tokens[size++] = (byte) point;
        } else if (point < 0x800) {
            tokens[size++] = (byte) (0xC0 | point >> 6);
            tokens[size++] = (byte) (0x80 | point & 0x3F);
        } else if (point < 0x10000) {
            tokens[size++] = (byte) (0xE0 | point >> 12);
            tokens[size++] = (byte) (0x80 | point >> 6 & 0x3F);
            tokens[size++] = (byte) (0x80 | point & 0x3F);
        } else {
            tokens[size++] = (byte) (0xF0 | point >> 18);
            tokens[size++] = (byte) (0x80 | point >> 12 & 0x3F);
            tokens[size++] = (byte) (0x80 | point >> 6 & 0x3F);
            tokens[size++] = (byte) (0x80 | point & 0x3F);
        }
    }
}
