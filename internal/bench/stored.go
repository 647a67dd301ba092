package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/posthorn/posthorn/internal/store"
)

// What -mode stored compares: a database that has filled up, and one with just enough for full pages.
const (
	fullStored, fullWaiting = 1_000_000, 100_000
	fewStored, fewWaiting   = 1_000, 1_000
	// mostTimes is how often an operation is timed, or fewer times within longest.
	mostTimes = 15
	longest   = 5 * time.Second
)

// timing is one line of JSON, and of the table.
type timing struct {
	Mode      string  `json:"mode"`
	Database  string  `json:"database"`
	Stored    int     `json:"stored"`
	Waiting   int     `json:"waiting"`
	Operation string  `json:"operation"`
	FewMS     float64 `json:"few_ms"`  // median, with fewStored and fewWaiting
	FullMS    float64 `json:"full_ms"` // 0 = it failed
	Ratio     float64 `json:"ratio"`
}

// runStored times every operation on both databases and prints how much slower the full one is. An operation that fails
// on the full one has no time there, and makes the command fail.
func runStored(ctx context.Context, o options, stdout, stderr io.Writer) error {
	few := o
	few.stored, few.waiting = fewStored, fewWaiting
	names, before, err := timeOperations(ctx, few, stderr)
	if err != nil {
		return err
	}
	_, after, failed := timeOperations(ctx, o, stderr)
	w := tabwriter.NewWriter(stderr, 0, 0, 1, ' ', 0)
	tell(w, "| %s\t| %d stored, ms\t| %d stored, %d waiting, ms\t| ratio\t|", o.database(), fewStored, o.stored, o.waiting)
	tell(w, "| ---\t| ---\t| ---\t| ---\t|")
	out := json.NewEncoder(stdout)
	for _, name := range names {
		t := timing{
			Mode: o.mode, Database: o.database(), Stored: o.stored, Waiting: o.waiting, Operation: name,
			FewMS: before[name], FullMS: after[name], Ratio: digits(after[name] / max(before[name], 0.001)),
		}
		if _, ok := after[name]; ok {
			tell(w, "| %s\t| %.2f\t| %.2f\t| %.1f\t|", name, t.FewMS, t.FullMS, t.Ratio)
		} else {
			tell(w, "| %s\t| %.2f\t| failed\t| \t|", name, t.FewMS)
		}
		if err := out.Encode(t); err != nil {
			return err
		}
	}
	return errors.Join(failed, w.Flush())
}

// timeOperations starts a system, fills it and returns the median of each operation, in ms.
func timeOperations(ctx context.Context, o options, stderr io.Writer) (names []string, medians map[string]float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout+2*startTimeout+fillTimeout(o))
	defer cancel()
	medians = map[string]float64{}
	err = withSystem(ctx, o, stderr, func(s *system, receiver *receiver) error {
		a := newAPI(s.url, s.key, o.concurrency)
		if err := a.setUp(ctx, 1, o.ordering, receiver.urlOf); err != nil {
			return err
		}
		began := time.Now()
		if err := s.fill(ctx, a.application, a.subscription); err != nil {
			return err
		}
		tell(stderr, "%d events stored, %d waiting: filled in %s", o.stored, o.waiting, time.Since(began).Round(time.Second))
		a.moveTo(s.url)
		list, err := a.operations(ctx)
		if err != nil {
			return err
		}
		failed := timeAll(ctx, list, medians, &names)
		if err := s.stopChildren(); err != nil {
			return errors.Join(failed, err)
		}
		return errors.Join(failed, s.withStore(ctx, tomorrow, func(opened *store.Store) error {
			return timeAll(ctx, dispatches(opened), medians, &names)
		}))
	})
	return names, medians, err
}

// tomorrow is when all that waits is due.
func tomorrow() time.Time { return time.Now().Add(25 * time.Hour) }

// timeAll goes on after an operation that fails, which it has no time for: what else is slow is worth knowing.
func timeAll(ctx context.Context, list []operation, medians map[string]float64, names *[]string) error {
	var failures []error
	for _, op := range list {
		var took []float64
		for began := time.Now(); len(took) < mostTimes && time.Since(began) < longest; {
			start := time.Now()
			if err := op.do(ctx); err != nil {
				failures = append(failures, fmt.Errorf("%s, after %s: %w", op.name, time.Since(start).Round(time.Millisecond), err))
				break
			}
			took = append(took, milliseconds(int64(time.Since(start))))
		}
		medians[op.name] = middle(took)
		*names = append(*names, op.name)
	}
	return errors.Join(failures...)
}
