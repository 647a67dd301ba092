package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// sample is what the process holds at one moment. A soak is flat when none of it grows.
type sample struct {
	Seconds     float64 `json:"s"` // since the first
	ResidentMB  float64 `json:"resident_mb"`
	HeapMB      float64 `json:"heap_mb"` // in use, what is garbage already included
	Descriptors float64 `json:"descriptors"`
	Goroutines  float64 `json:"goroutines"`
}

// held are the quantities of a sample, in the order of their columns.
func (s sample) held() [4]float64 {
	return [4]float64{s.ResidentMB, s.HeapMB, s.Descriptors, s.Goroutines}
}

// drift is how the quantities grew, in percent of their mean an hour, by least squares.
type drift struct {
	ResidentMB  float64 `json:"resident_pct_per_h"`
	HeapMB      float64 `json:"heap_pct_per_h"`
	Descriptors float64 `json:"descriptors_pct_per_h"`
	Goroutines  float64 `json:"goroutines_pct_per_h"`
}

// warmPart of the samples is left out of the drift: caches and pools fill first.
const warmPart = 0.25

// driftOf tells how the samples grew after the warm part.
func driftOf(samples []sample) *drift {
	settled := samples[int(float64(len(samples))*warmPart):]
	if len(settled) < 3 {
		return nil
	}
	var slopes [4]float64
	for q := range slopes {
		var n, x, y, xx, xy float64
		for _, s := range settled {
			v := s.held()[q]
			n, x, y, xx, xy = n+1, x+s.Seconds, y+v, xx+s.Seconds*s.Seconds, xy+s.Seconds*v
		}
		if spread := n*xx - x*x; spread > 0 && y > 0 {
			perSecond := (n*xy - x*y) / spread
			slopes[q] = digits(perSecond * time.Hour.Seconds() / (y / n) * 100)
		}
	}
	return &drift{ResidentMB: slopes[0], HeapMB: slopes[1], Descriptors: slopes[2], Goroutines: slopes[3]}
}

// watch samples the process every so often until the returned function is called, which returns the samples.
func (c *child) watch(ctx context.Context, every time.Duration) func() []sample {
	if every == 0 {
		return func() []sample { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var samples []sample
	var done sync.WaitGroup
	began := time.Now()
	done.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			if s, err := c.sample(ctx); err == nil {
				s.Seconds = digits(time.Since(began).Seconds())
				samples = append(samples, s)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return func() []sample {
		cancel()
		done.Wait()
		return samples
	}
}

// sample asks the kernel and the process itself.
func (c *child) sample(ctx context.Context) (sample, error) {
	gauges, err := c.gauges(ctx)
	if err != nil {
		return sample{}, err
	}
	descriptors, err := c.Descriptors()
	return sample{
		ResidentMB:  digits(gauges["process_resident_memory_bytes"] / 1e6),
		HeapMB:      digits(gauges["go_memstats_heap_inuse_bytes"] / 1e6),
		Goroutines:  gauges["go_goroutines"],
		Descriptors: float64(descriptors),
	}, err
}

// gauges are the metrics without labels.
func (c *child) gauges(ctx context.Context) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New("metrics: " + answer.Status)
	}
	gauges := map[string]float64{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			gauges[name] = n
		}
	}
	return gauges, lines.Err()
}

// maxShown bounds the samples in the table for people.
const maxShown = 13

// tableOfSamples prints some of the samples, the last one among them, and the drift.
func tableOfSamples(out io.Writer, samples []sample, drift *drift) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	tell(w, "min\tresident MB\theap MB\tdescriptors\tgoroutines\t")
	for n := range min(len(samples), maxShown) {
		s := samples[n*(len(samples)-1)/max(1, min(len(samples), maxShown)-1)]
		tell(w, "%.1f\t%.0f\t%.0f\t%.0f\t%.0f\t", s.Seconds/60, s.ResidentMB, s.HeapMB, s.Descriptors, s.Goroutines)
	}
	if drift != nil {
		tell(w, "%%/h\t%+.1f\t%+.1f\t%+.1f\t%+.1f\t", drift.ResidentMB, drift.HeapMB, drift.Descriptors, drift.Goroutines)
	}
	return w.Flush()
}
