// Command bench measures a real Posthorn: what it accepts and delivers, how fast, at which cost. It needs Linux (/proc) and
// runs from anywhere in the module:
//
//	go run ./internal/bench -mode closed -events 2000 -concurrency 32
//	go run ./internal/bench -mode open -rate 20 -duration 20s
//	go run ./internal/bench -suite
//
// Each run has processes, a data folder and ports of its own. One JSON line a run goes to standard output, a table for
// people to standard error. Lost deliveries and refused events make the exit status 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// tell writes a line for people.
func tell(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// bench runs one measurement or a suite of them. It fails after the last run when any of them lost something.
func bench(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.binary == "" {
		if o.binary, err = build(ctx, stderr); err != nil {
			return err
		}
	}
	if o.suite != "" {
		return runSuite(ctx, o, stdout, stderr)
	}
	if o.mode == modeStored {
		return runStored(ctx, o, stdout, stderr)
	}
	results, err := repeat(ctx, o, stdout, stderr)
	if err != nil {
		return err
	}
	if err := table(stderr, results); err != nil {
		return err
	}
	return verdict(results)
}

// repeat runs a measurement as often as it is to be, and writes each result and, of several, the medians, which are the
// last that it returns.
func repeat(ctx context.Context, o options, stdout, stderr io.Writer) (results []result, err error) {
	out := json.NewEncoder(stdout)
	for n := range o.repeats {
		r, err := run(ctx, o, stderr)
		if err != nil {
			return nil, fmt.Errorf("run %d: %w", n+1, err)
		}
		r.Run = strconv.Itoa(n + 1)
		results = append(results, r)
		if err := out.Encode(r); err != nil {
			return nil, err
		}
	}
	if len(results) > 1 {
		results = append(results, median(results))
		err = out.Encode(results[len(results)-1])
	}
	return results, err
}
