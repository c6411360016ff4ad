// Spec-v1 in Go: filters, exact and near deduplication of JSON lines. See ../spec.md.
//
//	go build -o specv1 . && ./specv1 -in FOLDER -out FOLDER
//
// Standard library only. Each stage runs on a pool of workers, one for each core; what a worker needs
// for a document it keeps for the next one. Stages follow each other, so that each can be timed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Document is one line of the corpus.
type Document struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Source string `json:"source"`
	Lang   string `json:"lang"`
}

// Seconds is what a stage took.
type Seconds struct {
	Wall float64 `json:"wall"`
	CPU  float64 `json:"cpu"`
}

// Report is what the program prints.
type Report struct {
	Documents int                `json:"documents"`
	Dropped   map[string]int     `json:"dropped"`
	Exact     int                `json:"exact"`
	Near      int                `json:"near"`
	Kept      int                `json:"kept"`
	Stages    map[string]Seconds `json:"stages"`
}

func main() {
	in := flag.String("in", "", "folder of part-*.jsonl.gz")
	out := flag.String("out", "", "folder for the kept documents")
	threads := flag.Int("threads", runtime.NumCPU(), "workers of a stage")
	profile := flag.String("cpuprofile", "", "file for a profile of CPU time")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	if *profile != "" {
		file, err := os.Create(*profile)
		check(err)
		check(pprof.StartCPUProfile(file))
		defer pprof.StopCPUProfile()
	}
	report, err := run(*in, *out, *threads)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(report))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run does all stages.
func run(in, out string, threads int) (*Report, error) {
	report := &Report{Dropped: map[string]int{}, Stages: map[string]Seconds{}}
	var documents []Document
	var err error
	report.time("read", func() { documents, err = read(in, threads) })
	if err != nil {
		return nil, err
	}
	report.Documents = len(documents)
	report.time("filter", func() { documents = keepGood(documents, threads, report.Dropped) })
	good := len(documents)
	report.time("exact", func() { documents = withoutCopies(documents) })
	report.Exact = good - len(documents)
	distinct := len(documents)
	report.time("near", func() { documents = withoutNearCopies(documents, threads) })
	report.Near, report.Kept = distinct-len(documents), len(documents)
	report.time("write", func() { err = write(out, documents, threads) })
	return report, err
}

func (report *Report) time(stage string, work func()) {
	wall, cpu := time.Now(), cpuSeconds()
	work()
	report.Stages[stage] = Seconds{time.Since(wall).Seconds(), cpuSeconds() - cpu}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

// inParallel runs one worker per thread; each takes the next number below count until none is left.
// start makes a worker with a state of its own.
func inParallel(threads, count int, start func() func(number int)) {
	var next int64 = -1
	var workers sync.WaitGroup
	for i := 0; i < threads; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			work := start()
			for number := int(atomic.AddInt64(&next, 1)); number < count; {
				work(number)
				number = int(atomic.AddInt64(&next, 1))
			}
		}()
	}
	workers.Wait()
}
