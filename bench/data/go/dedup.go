package main

import (
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// withoutCopies keeps, of documents with the same text, the one with the smallest id.
func withoutCopies(documents []Document) []Document {
	first := make(map[string]int32, len(documents))
	for number := range documents {
		other, found := first[documents[number].Text]
		if !found || documents[number].ID < documents[other].ID {
			first[documents[number].Text] = int32(number)
		}
	}
	kept := make([]Document, 0, len(first))
	for number := range documents {
		if first[documents[number].Text] == int32(number) {
			kept = append(kept, documents[number])
		}
	}
	return kept
}

const (
	width        = 5
	bands        = 14
	rows         = 8
	permutations = bands * rows
	prime        = 1<<61 - 1
)

type signature [permutations]uint64

// withoutNearCopies keeps the document with the smallest id of each cluster.
func withoutNearCopies(documents []Document, threads int) []Document {
	signatures := make([]signature, len(documents))
	signed := make([]bool, len(documents))
	inParallel(threads, len(documents), func() func(int) {
		var shingles shingles
		return func(number int) {
			hashes := shingles.of(documents[number].Text)
			signed[number] = len(hashes) > 0
			sign(hashes, &signatures[number])
		}
	})
	edges := make([][][2]int32, bands)
	inParallel(threads, bands, func() func(int) {
		return func(band int) { edges[band] = joined(signatures, signed, band) }
	})
	clusters := newClusters(documents)
	for _, band := range edges {
		for _, edge := range band {
			clusters.join(edge[0], edge[1])
		}
	}
	kept := make([]Document, 0, len(documents))
	for number := range documents {
		if clusters.root(int32(number)) == int32(number) {
			kept = append(kept, documents[number])
		}
	}
	return kept
}

// joined gives the pairs of documents whose signatures are equal in a band.
func joined(signatures []signature, signed []bool, band int) (edges [][2]int32) {
	first := make(map[[rows]uint64]int32, len(signatures))
	for number := range signatures {
		if !signed[number] {
			continue
		}
		key := *(*[rows]uint64)(signatures[number][band*rows:])
		if other, found := first[key]; found {
			edges = append(edges, [2]int32{other, int32(number)})
		} else {
			first[key] = int32(number)
		}
	}
	return edges
}

// clusters is union-find; the root of a cluster is the document with its smallest id.
type clusters struct {
	documents []Document
	parents   []int32
}

func newClusters(documents []Document) *clusters {
	parents := make([]int32, len(documents))
	for number := range parents {
		parents[number] = int32(number)
	}
	return &clusters{documents, parents}
}

func (c *clusters) root(number int32) int32 {
	for c.parents[number] != number {
		c.parents[number] = c.parents[c.parents[number]]
		number = c.parents[number]
	}
	return number
}

func (c *clusters) join(left, right int32) {
	left, right = c.root(left), c.root(right)
	if c.documents[right].ID < c.documents[left].ID {
		left, right = right, left
	}
	c.parents[right] = left
}

// shingles holds what is used again for the next document.
type shingles struct {
	tokens []byte   // in lower case, joined by blanks
	starts []int    // where each token begins; one more behind the last
	hashes []uint64 // modulo prime
}

// lower maps a byte to its lower case where it belongs to a token, to 0 where it does not.
var lower = func() (table [utf8.RuneSelf]byte) {
	for b := range table {
		if r := rune(b); isToken(r) {
			table[b] = byte(unicode.ToLower(r))
		}
	}
	return
}()

func isToken(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// of gives the hashes of a text's shingles.
func (s *shingles) of(text string) []uint64 {
	s.split(text)
	s.hashes = s.hashes[:0]
	for i := 0; i+width < len(s.starts); i++ {
		hash := xxh64(s.tokens[s.starts[i] : s.starts[i+width]-1])
		s.hashes = append(s.hashes, hash%prime)
	}
	return s.hashes
}

// split fills tokens and starts.
func (s *shingles) split(text string) {
	tokens, starts := s.tokens[:0], s.starts[:0]
	inside := false
	for at := 0; at < len(text); {
		size := 1
		if b := text[at]; b < utf8.RuneSelf {
			low := lower[b]
			if low == 0 {
				if inside {
					tokens, inside = append(tokens, ' '), false
				}
				at++
				continue
			}
			if !inside {
				starts, inside = append(starts, len(tokens)), true
			}
			tokens = append(tokens, low)
		} else {
			var r rune
			r, size = utf8.DecodeRuneInString(text[at:])
			r = unicode.ToLower(r)
			if isToken(r) {
				if !inside {
					starts, inside = append(starts, len(tokens)), true
				}
				tokens = utf8.AppendRune(tokens, r)
			} else if inside {
				tokens, inside = append(tokens, ' '), false
			}
		}
		at += size
	}
	if inside {
		tokens = append(tokens, ' ')
	}
	s.tokens, s.starts = tokens, append(starts, len(tokens))
}

// The multipliers and summands of the permutations.
var factors, summands = func() (a, b [permutations]uint64) {
	state := uint64(1)
	next := func() uint64 {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	for i := range a {
		a[i] = 1 + next()%(prime-1)
		b[i] = next() % prime
	}
	return
}()

// Hashes that stay in the first-level cache while all permutations go over them.
const blockHashes = 2048

// sign sets the minima of all permutations. Two permutations at a time hide the latency of the
// multiplication.
func sign(hashes []uint64, minima *signature) {
	for i := range minima {
		minima[i] = prime
	}
	for len(hashes) > 0 {
		block := hashes
		if len(block) > blockHashes {
			block = block[:blockHashes]
		}
		hashes = hashes[len(block):]
		for i := 0; i < permutations; i += 2 {
			a, b, least := factors[i], summands[i], minima[i]
			c, d, last := factors[i+1], summands[i+1], minima[i+1]
			for _, hash := range block {
				if value := affine(hash, a, b); value < least {
					least = value
				}
				if value := affine(hash, c, d); value < last {
					last = value
				}
			}
			minima[i], minima[i+1] = least, last
		}
	}
}

// affine gives (a*hash + b) modulo prime for numbers below prime.
func affine(hash, a, b uint64) uint64 {
	high, low := bits.Mul64(hash, a)
	sum := low&prime + (high<<3 | low>>61) + b
	sum = sum&prime + sum>>61
	if sum >= prime {
		sum -= prime
	}
	return sum
}
