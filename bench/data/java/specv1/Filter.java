package specv1;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** Says which documents are good. One object for each worker; its arrays are used again. */
final class Filter {
    private static final String[] STOP_WORDS = {
        "the", "be", "to", "of", "and", "that", "have", "with"
    };

    private final Text text = new Text();
    private final Spans words = new Spans(text);
    private final Spans lines = new Spans(text);
    private final Pairs pairs = new Pairs();
    private int wordPoints;
    private int lettered;
    private int hashes;
    private int ellipses;
    private int stopWords;

    /** The documents that pass; the others are counted by reason. */
    static List<Document> good(
            List<Document> documents, Workers workers, Map<String, Integer> dropped)
            throws Exception {
        String[] reasons = new String[documents.size()];
        workers.each(
                documents.size(),
                () -> {
                    Filter filter = new Filter();
                    return number -> reasons[number] = filter.reason(documents.get(number).text());
                });
        List<Document> kept = new ArrayList<>();
        for (int number = 0; number < reasons.length; number++) {
            if (reasons[number] == null) {
                kept.add(documents.get(number));
            } else {
                dropped.merge(reasons[number], 1, Integer::sum);
            }
        }
        return kept;
    }

    /** The first test that a text fails, or null. */
    String reason(String document) {
        text.set(document);
        splitWords();
        double n = words.count;
        if (n < 50 || n > 100_000) {
            return "words";
        } else if (wordPoints / n < 3 || wordPoints / n > 10) {
            return "word-length";
        } else if (hashes / n > 0.1) {
            return "hashes";
        } else if (ellipses / n > 0.1) {
            return "ellipses";
        } else if (lettered / n < 0.8) {
            return "letters";
        } else if (Integer.bitCount(stopWords) < 2) {
            return "stop-words";
        }
        String reason = lineReason();
        if (reason != null) {
            return reason;
        } else if (bigramShare() > 0.2) {
            return "bigram";
        }
        return text.containsFold("lorem ipsum") ? "lorem-ipsum" : null;
    }

    private void splitWords() {
        char[] units = text.units;
        int size = text.size;
        words.clear();
        wordPoints = lettered = hashes = ellipses = stopWords = 0;
        int dots = 0;
        for (int at = 0; at < size; ) {
            while (at < size && Text.isSpace(units[at])) {
                at++;
                dots = 0;
            }
            int start = at;
            int hash = 0;
            for (char c; at < size && !Text.isSpace(c = units[at]); at++) {
                hash = 31 * hash + c;
                if (c == '.') {
                    if (++dots == 3) {
                        ellipses++;
                        dots = 0;
                    }
                } else {
                    dots = 0;
                    if (c == '#') {
                        hashes++;
                    } else if (c == '…') {
                        ellipses++;
                    }
                }
            }
            if (at > start) {
                words.add(start, at, hash);
                wordPoints += text.points(start, at);
                lettered += text.hasLetter(start, at) ? 1 : 0;
                if (at - start <= 4) {
                    countStopWord(start, at);
                }
            }
        }
    }

    private void countStopWord(int start, int end) {
        for (int i = 0; i < STOP_WORDS.length; i++) {
            if (text.equals(start, end, STOP_WORDS[i])) {
                stopWords |= 1 << i;
            }
        }
    }

    private void splitLines() {
        char[] units = text.units;
        lines.clear();
        for (int at = 0; at < text.size; at++) {
            int start = at;
            int hash = 0;
            while (at < text.size && units[at] != '\n') {
                at++;
            }
            int end = at;
            while (start < end && Text.isSpace(units[start])) {
                start++;
            }
            while (start < end && Text.isSpace(units[end - 1])) {
                end--;
            }
            for (int i = start; i < end; i++) {
                hash = 31 * hash + units[i];
            }
            if (start < end) {
                lines.add(start, end, hash);
            }
        }
    }

    /** The part of the filter that looks at lines. */
    private String lineReason() {
        splitLines();
        lines.startNumbers();
        int bullets = 0, ellipsisEnds = 0, ends = 0, brief = 0;
        int repeated = 0, repeatedPoints = 0, points = 0;
        for (int line = 0; line < lines.count; line++) {
            int start = lines.starts[line];
            int end = lines.ends[line];
            int length = text.points(start, end);
            points += length;
            char first = text.units[start];
            char last = text.units[end - 1];
            bullets += first == '•' || first == '-' ? 1 : 0;
            ellipsisEnds += last == '…' || text.endsWith(start, end, "...") ? 1 : 0;
            ends += ".?!\"'".indexOf(last) >= 0 ? 1 : 0;
            brief += length <= 30 ? 1 : 0;
            if (lines.number(line) != line) {
                repeated++;
                repeatedPoints += length;
            }
        }
        double m = lines.count;
        if (bullets / m > 0.9) {
            return "bullets";
        } else if (ellipsisEnds / m > 0.3) {
            return "ellipsis-lines";
        } else if (repeated / m > 0.3) {
            return "repeated-lines";
        } else if (repeatedPoints / (double) points > 0.2) {
            return "repeated-line-characters";
        } else if (ends / m < 0.12) {
            return "line-ends";
        }
        return brief / m > 0.67 ? "short-lines" : null;
    }

    /** The share of the characters that the most frequent pair of words takes. */
    private double bigramShare() {
        words.startNumbers();
        pairs.start(words.count);
        int left = words.number(0);
        for (int word = 1; word < words.count; word++) {
            int right = words.number(word);
            pairs.add(left, right);
            left = right;
        }
        int best = 0;
        for (int slot = 0; slot < pairs.size; slot++) {
            int more = pairs.counts[slot] - pairs.counts[best];
            if (more > 0 || more == 0 && pairs.counts[slot] > 0 && less(slot, best)) {
                best = slot;
            }
        }
        long length = points(pairs.left(best)) + points(pairs.right(best));
        return pairs.counts[best] * length / (double) wordPoints;
    }

    private int points(int word) {
        return text.points(words.starts[word], words.ends[word]);
    }

    /** Whether the text of a pair, its words joined by a blank, is before that of another. */
    private boolean less(int one, int other) {
        int compared = words.compare(pairs.left(one), pairs.left(other));
        if (compared == 0) {
            return words.compare(pairs.right(one), pairs.right(other)) < 0;
        }
        if (words.isPrefix(pairs.left(one), pairs.left(other))) {
            char[] a = joined(one);
            char[] b = joined(other);
            return Text.compare(a, 0, a.length, b, 0, b.length) < 0;
        }
        return compared < 0;
    }

    private char[] joined(int slot) {
        return (words.text(pairs.left(slot)) + ' ' + words.text(pairs.right(slot))).toCharArray();
    }
}
