package main

import (
	"hash/maphash"
	"math/bits"
)

// Two hash tables that are made once and emptied for each document. Go's maps are not used here: to
// empty one costs what the largest document so far has made of it.

var seed = maphash.MakeSeed()

// tableSize gives a power of two that is at least twice the count.
func tableSize(count int) int { return 1 << bits.Len(uint(2*count)) }

// texts numbers texts from 0 in the order of their first appearance.
type texts struct {
	slots []slot
	found []string
}

type slot struct {
	hash   uint64
	number int32 // plus one: 0 is an empty slot
}

func (t *texts) reset(count int) {
	t.slots = emptied(t.slots, tableSize(count))
	t.found = t.found[:0]
}

// number gives the number of a text, and whether it is new.
func (t *texts) number(text string) (number int32, new bool) {
	hash := maphash.String(seed, text)
	mask := uint64(len(t.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		each := &t.slots[at]
		if each.number == 0 {
			t.found = append(t.found, text)
			*each = slot{hash, int32(len(t.found))}
			return each.number - 1, true
		}
		if each.hash == hash && t.found[each.number-1] == text {
			return each.number - 1, false
		}
	}
}

func (t *texts) of(number int32) string { return t.found[number] }

// pairs counts pairs of numbers.
type pairs struct{ slots []pair }

type pair struct{ left, right, count int32 }

func (p *pairs) reset(count int) { p.slots = emptied(p.slots, tableSize(count)) }

func (p *pairs) add(left, right int32) {
	hash := (uint64(left)<<32 | uint64(right)) * 0x9e3779b97f4a7c15
	mask := uint64(len(p.slots) - 1)
	for at := hash >> 32 & mask; ; at = (at + 1) & mask {
		each := &p.slots[at]
		if each.count == 0 {
			*each = pair{left, right, 1}
			return
		}
		if each.left == left && each.right == right {
			each.count++
			return
		}
	}
}

// emptied gives a slice of size zero values, in the memory of the old one where it fits.
func emptied[T any](old []T, size int) []T {
	if cap(old) < size {
		return make([]T, size)
	}
	old = old[:size]
	var zero T
	for i := range old {
		old[i] = zero
	}
	return old
}
