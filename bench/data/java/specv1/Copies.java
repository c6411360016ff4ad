package specv1;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Exact copies: of documents with the same text the one with the smallest id is kept. */
final class Copies {
    private Copies() {}

    static List<Document> without(List<Document> documents, Workers workers) throws Exception {
        // A string keeps its hash: computed here on all cores, used by the map below.
        workers.each(documents.size(), () -> number -> documents.get(number).text().hashCode());
        Map<String, Document> first = new HashMap<>(documents.size() * 2);
        for (Document document : documents) {
            first.merge(document.text(), document, Copies::smaller);
        }
        List<Document> kept = new ArrayList<>(first.size());
        for (Document document : documents) {
            if (first.get(document.text()) == document) {
                kept.add(document);
            }
        }
        return kept;
    }

    private static Document smaller(Document one, Document other) {
        return Text.compare(one.id(), other.id()) <= 0 ? one : other;
    }
}
