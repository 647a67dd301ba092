package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// The kinds of load.
const (
	// closed: workers publish back to back, each its next event after the answer to the one before.
	modeClosed = "closed"
	// open: events are due at a fixed rate, whatever the answers do, and latencies count from when they were due.
	modeOpen = "open"
)

// Bounds, so that a typing error cannot fill a disk.
const (
	maxEvents     = 1_000_000
	maxDeliveries = 5_000_000
	minPayload    = 64
	maxPayload    = 1 << 20
)

// options are the flags.
type options struct {
	mode          string
	events        int
	concurrency   int
	rate          float64 // events a second
	duration      time.Duration
	payload       int // bytes
	subscriptions int
	ordering      string // of every subscription
	warmUp        int    // events
	repeats       int
	timeout       time.Duration // of one run
	binary        string        // "" = build it
	databaseURL   string        // "" = SQLite in the run's data folder
	sample        time.Duration // 0 = not
	keep          bool
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.mode, "mode", modeClosed, "closed: workers publish back to back; open: at a fixed rate")
	flags.IntVar(&o.events, "events", 2000, "closed: how many events to publish")
	flags.IntVar(&o.concurrency, "concurrency", 32, "closed: how many workers publish")
	flags.Float64Var(&o.rate, "rate", 20, "open: events a second")
	flags.DurationVar(&o.duration, "duration", 20*time.Second, "open: how long to publish")
	flags.IntVar(&o.payload, "payload", 1024, "size of each payload in bytes")
	flags.IntVar(&o.subscriptions, "subscriptions", 1, "how many subscriptions get each event")
	flags.StringVar(&o.ordering, "ordering", "none", "none or fifo: each subscription is one queue")
	flags.IntVar(&o.warmUp, "warmup", 20, "events before the measurement, in no figure; 0 = none")
	flags.IntVar(&o.repeats, "repeats", 1, "how many runs; several end with a line of medians")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long one run may take; what is missing then is lost")
	flags.StringVar(&o.binary, "binary", "", "posthorn program to measure (default: go build -o bin/posthorn)")
	flags.StringVar(&o.databaseURL, "database-url", "", "postgres://… (default: SQLite); its own server's CPU is not counted")
	flags.DurationVar(&o.sample, "sample", 0, "for a soak: note memory, descriptors and goroutines so often; 0 = not")
	flags.BoolVar(&o.keep, "keep", false, "keep each run's data folder and log")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if o.mode == modeOpen {
		o.events = int(o.rate * o.duration.Seconds())
	}
	return o, o.check()
}

func (o *options) check() error {
	switch {
	case o.mode != modeClosed && o.mode != modeOpen:
		return errors.New("-mode is closed or open")
	case o.events < 1 || o.events > maxEvents:
		return fmt.Errorf("the run would publish %d events: 1 to %d are possible", o.events, maxEvents)
	case o.subscriptions < 1 || o.events*o.subscriptions > maxDeliveries:
		return fmt.Errorf("-subscriptions is 1 or more, with %d deliveries at most in all", maxDeliveries)
	case o.ordering != "none" && o.ordering != "fifo":
		return errors.New("-ordering is none or fifo")
	case o.concurrency < 1 || o.concurrency > 4096:
		return errors.New("-concurrency is 1 to 4096")
	case o.payload < minPayload || o.payload > maxPayload:
		return fmt.Errorf("-payload is %d to %d", minPayload, maxPayload)
	case o.warmUp < 0 || o.warmUp > maxEvents || o.repeats < 1 || o.repeats > 100 || o.timeout <= 0:
		return errors.New("-warmup, -repeats (1 to 100) or -timeout is out of range")
	case o.sample < 0 || (o.sample > 0 && o.sample < time.Second):
		return errors.New("-sample is 1s or more")
	default:
		return nil
	}
}

func (o *options) database() string {
	if o.databaseURL == "" {
		return "sqlite"
	}
	return "postgres"
}
