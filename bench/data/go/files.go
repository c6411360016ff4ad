package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const (
	shards        = 8
	level         = 6
	bufferBytes   = 1 << 18
	lineBytesMax  = 256 << 20
	lineBytesHint = 1 << 16
)

// read gives the documents of all shards in the order of their files and lines.
func read(folder string, threads int) ([]Document, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "part-*.jsonl.gz"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("cannot read %s: it holds no part-*.jsonl.gz", folder)
	}
	parts := make([][]Document, len(paths))
	errs := make([]error, len(paths))
	inParallel(threads, len(paths), func() func(int) {
		return func(number int) { parts[number], errs[number] = readShard(paths[number]) }
	})
	total := 0
	for number, part := range parts {
		if errs[number] != nil {
			return nil, errs[number]
		}
		total += len(part)
	}
	documents := make([]Document, 0, total)
	for _, part := range parts {
		documents = append(documents, part...)
	}
	return documents, nil
}

func readShard(path string) ([]Document, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(bufio.NewReaderSize(file, bufferBytes))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(make([]byte, lineBytesHint), lineBytesMax)
	var documents []Document
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var document Document
		if err := json.Unmarshal(lines.Bytes(), &document); err != nil {
			return nil, fmt.Errorf("cannot read %s:%d: %w", path, number, err)
		}
		documents = append(documents, document)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return documents, nil
}

// write deals the documents out to eight shards.
func write(folder string, documents []Document, threads int) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	errs := make([]error, shards)
	inParallel(threads, shards, func() func(int) {
		return func(shard int) {
			path := filepath.Join(folder, fmt.Sprintf("part-%03d.jsonl.gz", shard))
			errs[shard] = writeShard(path, documents, shard)
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func writeShard(path string, documents []Document, shard int) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	packed, err := gzip.NewWriterLevel(file, level)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(packed, bufferBytes)
	encoder := json.NewEncoder(buffered)
	encoder.SetEscapeHTML(false)
	for i := shard; i < len(documents); i += shards {
		if err := encoder.Encode(&documents[i]); err != nil {
			return err
		}
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return packed.Close()
}
