package main

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keepGood gives the documents that pass the filter, and counts the others by reason.
func keepGood(documents []Document, threads int, dropped map[string]int) []Document {
	reasons := make([]string, len(documents))
	inParallel(threads, len(documents), func() func(int) {
		var filter filter
		return func(number int) { reasons[number] = filter.reason(documents[number].Text) }
	})
	kept := make([]Document, 0, len(documents))
	for number, reason := range reasons {
		if reason == "" {
			kept = append(kept, documents[number])
		} else {
			dropped[reason]++
		}
	}
	return kept
}

// filter holds what is used again for the next document.
type filter struct {
	words  []string
	lines  []string
	length int // code points of all words
	texts  texts
	pairs  pairs
}

// reason gives the first test that the text fails, or "".
func (f *filter) reason(text string) string {
	letters, stopWords := f.splitWords(text)
	n := len(f.words)
	share := func(count int) float64 { return float64(count) / float64(n) }
	switch {
	case n < 50 || n > 100000:
		return "words"
	case share(f.length) < 3 || share(f.length) > 10:
		return "word-length"
	case share(strings.Count(text, "#")) > 0.1:
		return "hashes"
	case share(strings.Count(text, "...")+strings.Count(text, "…")) > 0.1:
		return "ellipses"
	case share(letters) < 0.8:
		return "letters"
	case bits.OnesCount8(stopWords) < 2:
		return "stop-words"
	}
	if reason := f.lineReason(text); reason != "" {
		return reason
	}
	if f.bigramShare() > 0.2 {
		return "bigram"
	}
	if containsFold(text, "lorem ipsum") {
		return "lorem-ipsum"
	}
	return ""
}

// Classes of bytes: what one says of the code point that begins with it.
const (
	other = iota
	space
	letter
	beyondASCII
)

var classes = func() (table [256]uint8) {
	for b := range table {
		switch {
		case b >= utf8.RuneSelf:
			table[b] = beyondASCII
		case unicode.IsSpace(rune(b)):
			table[b] = space
		case unicode.IsLetter(rune(b)):
			table[b] = letter
		}
	}
	return
}()

// splitWords fills words and length; it gives the count of words that hold a letter and the set of
// stop words found.
func (f *filter) splitWords(text string) (letters int, stopWords uint8) {
	f.words, f.length = f.words[:0], 0
	for at := 0; at < len(text); {
		start, points, lettered := at, 0, false
	word:
		for at < len(text) {
			size := 1
			switch classes[text[at]] {
			case space:
				break word
			case letter:
				lettered = true
			case beyondASCII:
				var r rune
				r, size = utf8.DecodeRuneInString(text[at:])
				if unicode.IsSpace(r) {
					break word
				}
				lettered = lettered || unicode.IsLetter(r)
			}
			at += size
			points++
		}
		if at > start {
			word := text[start:at]
			f.words = append(f.words, word)
			f.length += points
			if lettered {
				letters++
			}
			stopWords |= stopWord(word)
		}
		for at < len(text) { // the white space behind the word
			if class := classes[text[at]]; class == space {
				at++
			} else if class == beyondASCII {
				r, size := utf8.DecodeRuneInString(text[at:])
				if !unicode.IsSpace(r) {
					break
				}
				at += size
			} else {
				break
			}
		}
	}
	return letters, stopWords
}

// stopWord gives the bit of a stop word, or 0.
func stopWord(word string) uint8 {
	switch word {
	case "the":
		return 1
	case "be":
		return 2
	case "to":
		return 4
	case "of":
		return 8
	case "and":
		return 16
	case "that":
		return 32
	case "have":
		return 64
	case "with":
		return 128
	}
	return 0
}

// lineReason is the part of the filter that looks at lines.
func (f *filter) lineReason(text string) string {
	f.lines = f.lines[:0]
	for text != "" {
		line := text
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			line, text = text[:end], text[end+1:]
		} else {
			text = ""
		}
		if line = strings.TrimSpace(line); line != "" {
			f.lines = append(f.lines, line)
		}
	}
	var bullets, ellipses, ends, short, repeated, repeatedPoints, points int
	f.texts.reset(len(f.lines))
	for _, line := range f.lines {
		length := utf8.RuneCountInString(line)
		points += length
		if line[0] == '-' || strings.HasPrefix(line, "•") {
			bullets++
		}
		switch line[len(line)-1] {
		case '?', '!', '"', '\'':
			ends++
		case '.':
			ends++
			if strings.HasSuffix(line, "...") {
				ellipses++
			}
		default:
			if strings.HasSuffix(line, "…") {
				ellipses++
			}
		}
		if length <= 30 {
			short++
		}
		if _, new := f.texts.number(line); !new {
			repeated++
			repeatedPoints += length
		}
	}
	share := func(count int) float64 { return float64(count) / float64(len(f.lines)) }
	switch {
	case share(bullets) > 0.9:
		return "bullets"
	case share(ellipses) > 0.3:
		return "ellipsis-lines"
	case share(repeated) > 0.3:
		return "repeated-lines"
	case float64(repeatedPoints)/float64(points) > 0.2:
		return "repeated-line-characters"
	case share(ends) < 0.12:
		return "line-ends"
	case share(short) > 0.67:
		return "short-lines"
	}
	return ""
}

// bigramShare gives the share of the characters that the most frequent pair of words takes.
func (f *filter) bigramShare() float64 {
	f.texts.reset(len(f.words))
	f.pairs.reset(len(f.words))
	left, _ := f.texts.number(f.words[0])
	for _, word := range f.words[1:] {
		right, _ := f.texts.number(word)
		f.pairs.add(left, right)
		left = right
	}
	var best pair
	for _, each := range f.pairs.slots {
		if each.count > best.count || each.count == best.count && each.count > 0 && f.less(each, best) {
			best = each
		}
	}
	length := utf8.RuneCountInString(f.texts.of(best.left)) + utf8.RuneCountInString(f.texts.of(best.right))
	return float64(int(best.count)*length) / float64(f.length)
}

// less says which of two pairs is the smaller text, both joined by a blank.
func (f *filter) less(a, b pair) bool {
	if a.left == b.left {
		return f.texts.of(a.right) < f.texts.of(b.right)
	}
	left, right := f.texts.of(a.left), f.texts.of(b.left)
	if !strings.HasPrefix(left, right) && !strings.HasPrefix(right, left) {
		return left < right
	}
	return left+" "+f.texts.of(a.right) < right+" "+f.texts.of(b.right)
}

// containsFold says whether text holds what, a text of lower-case ASCII, in any case.
func containsFold(text, what string) bool {
	upper := strings.ToUpper(what[:1])[0]
	for at := 0; at+len(what) <= len(text); at++ {
		if b := text[at]; (b == what[0] || b == upper) && strings.EqualFold(text[at:at+len(what)], what) {
			return true
		}
	}
	return false
}
