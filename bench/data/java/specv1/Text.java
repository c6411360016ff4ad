package specv1;

import java.util.Arrays;

/** A text as UTF-16 units in an array that is used again, and what is asked about code points. */
final class Text {
    private static final byte SPACE = 1;
    private static final byte LETTER = 2;
    private static final byte[] CLASSES = new byte[128];

    static {
        for (int c = 0; c < CLASSES.length; c++) {
            CLASSES[c] = c == ' ' || c >= 9 && c <= 13 ? SPACE : Character.isLetter(c) ? LETTER : 0;
        }
    }

    char[] units = new char[1 << 16];
    int size;

    void set(String text) {
        size = text.length();
        if (units.length < size) {
            units = new char[Integer.highestOneBit(size) << 1];
        }
        text.getChars(0, size, units, 0);
    }

    /** The property White_Space, which Character.isWhitespace is not. */
    static boolean isSpace(char c) {
        if (c < 128) {
            return CLASSES[c] == SPACE;
        }
        return switch (c) {
            case 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true;
            default -> c >= 0x2000 && c <= 0x200A;
        };
    }

    /** Whether a letter is between two places. */
    boolean hasLetter(int start, int end) {
        for (int at = start; at < end; ) {
            char c = units[at];
            if (c < 128) {
                if (CLASSES[c] == LETTER) {
                    return true;
                }
                at++;
            } else {
                int point = Character.codePointAt(units, at, end);
                if (Character.isLetter(point)) {
                    return true;
                }
                at += Character.charCount(point);
            }
        }
        return false;
    }

    /** Code points between two places. */
    int points(int start, int end) {
        int pairs = 0;
        for (int at = start + 1; at < end; at++) {
            if (Character.isLowSurrogate(units[at]) && Character.isHighSurrogate(units[at - 1])) {
                pairs++;
            }
        }
        return end - start - pairs;
    }

    boolean equals(int start, int end, String text) {
        return end - start == text.length() && startsWith(start, end, text);
    }

    boolean startsWith(int start, int end, String text) {
        if (end - start < text.length()) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if (units[start + i] != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    boolean endsWith(int start, int end, String text) {
        return end - start >= text.length() && startsWith(end - text.length(), end, text);
    }

    /** Whether a text of lower-case ASCII is there, in any case. */
    boolean containsFold(String text) {
        char low = text.charAt(0);
        char high = Character.toUpperCase(low);
        next:
        for (int at = 0; at <= size - text.length(); at++) {
            if (units[at] == low || units[at] == high) {
                for (int i = 1; i < text.length(); i++) {
                    char c = units[at + i];
                    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != text.charAt(i)) {
                        continue next;
                    }
                }
                return true;
            }
        }
        return false;
    }

    /** The order of code points of two ranges. */
    static int compare(char[] left, int l, int lEnd, char[] right, int r, int rEnd) {
        int same = Arrays.mismatch(left, l, lEnd, right, r, rEnd);
        if (same < 0) {
            return 0;
        }
        if (l + same == lEnd || r + same == rEnd) {
            return (lEnd - l) - (rEnd - r);
        }
        return rank(left[l + same]) - rank(right[r + same]);
    }

    /** The order of code points. */
    static int compare(String left, String right) {
        int end = Math.min(left.length(), right.length());
        for (int i = 0; i < end; i++) {
            char l = left.charAt(i);
            char r = right.charAt(i);
            if (l != r) {
                return rank(l) - rank(r);
            }
        }
        return left.length() - right.length();
    }

    /** Surrogates stand for code points behind all others, but lie before U+E000 as units. */
    private static int rank(char c) {
        return Character.isSurrogate(c) ? c + 0x10000 : c;
    }
}
