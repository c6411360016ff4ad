package specv1;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.MinimalPrettyPrinter;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** Gzip files of JSON lines. */
final class Shards {
    private static final int COUNT = 8;
    private static final int BUFFER_BYTES = 1 << 16;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectReader DOCUMENTS = JSON.readerFor(Document.class);

    private Shards() {}

    /** The documents of all shards in the order of their files and lines. */
    static List<Document> read(Path folder, Workers workers) throws Exception {
        List<Path> paths = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(folder, "part-*.jsonl.gz")) {
            found.forEach(paths::add);
        }
        if (paths.isEmpty()) {
            throw new IOException("cannot read " + folder + ": it holds no part-*.jsonl.gz");
        }
        paths.sort(null);
        Document[][] parts = new Document[paths.size()][];
        workers.each(paths.size(), () -> number -> parts[number] = readOne(paths.get(number)));
        List<Document> documents =
                new ArrayList<>(Arrays.stream(parts).mapToInt(part -> part.length).sum());
        for (Document[] part : parts) {
            documents.addAll(Arrays.asList(part));
        }
        return documents;
    }

    private static Document[] readOne(Path path) throws IOException {
        try (var unpacked = new GZIPInputStream(Files.newInputStream(path), BUFFER_BYTES);
                MappingIterator<Document> lines = DOCUMENTS.readValues(unpacked)) {
            return lines.readAll().toArray(Document[]::new);
        }
    }

    /** Deals the documents out to eight shards. */
    static void write(Path folder, List<Document> documents, Workers workers) throws Exception {
        Files.createDirectories(folder);
        workers.each(
                COUNT,
                () -> shard -> {
                    Path path = folder.resolve(String.format("part-%03d.jsonl.gz", shard));
                    writeOne(path, documents, shard);
                });
    }

    private static void writeOne(Path path, List<Document> documents, int shard)
            throws IOException {
        // GZIPOutputStream packs at zlib's default level, which is 6.
        try (var packed = new GZIPOutputStream(Files.newOutputStream(path), BUFFER_BYTES);
                JsonGenerator json = JSON.getFactory().createGenerator(packed)) {
            json.setPrettyPrinter(new MinimalPrettyPrinter("\n"));
            for (int i = shard; i < documents.size(); i += COUNT) {
                Document document = documents.get(i);
                json.writeStartObject();
                json.writeStringField("id", document.id());
                json.writeStringField("text", document.text());
                json.writeStringField("source", document.source());
                json.writeStringField("lang", document.lang());
                json.writeEndObject();
            }
            json.writeRaw('\n');
        }
    }
}
