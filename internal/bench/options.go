package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"
)

// The kinds of load.
const (
	// closed: workers publish back to back, each its next event after the answer to the one before.
	modeClosed = "closed"
	// open: events are due at a fixed rate, whatever the answers do, and latencies count from when they were due.
	modeOpen = "open"
	// drain: a backlog is accepted as in closed, with one not_before for all, and then comes due at once: what a dispatcher
	// finds after Temporal, or the workers, were away.
	modeDrain = "drain"
	// idle: nothing is published.
	modeIdle = "idle"
	// stored: how long publishing, listing and dispatching take when a million events are stored.
	modeStored = "stored"
)

// What is measured.
const (
	// embedded: `posthorn dev`.
	topologyEmbedded = "embedded"
	// cluster: an api, a worker and a Temporal server (`posthorn temporal`, on SQLite) as processes of their own, and a
	// throw-away Postgres.
	topologyCluster = "cluster"
)

// Bounds, so that a typing error cannot fill a disk.
const (
	maxEvents     = 1_000_000
	maxDeliveries = 5_000_000
	maxHistory    = 10_000_000
	minPayload    = 64
	maxPayload    = 1 << 20
)

// options are the flags.
type options struct {
	name          string // of the case of a suite
	mode          string
	topology      string
	events        int
	concurrency   int
	rate          float64       // events a second
	duration      time.Duration // 0 = 20 s, idle 60 s
	payload       int           // bytes
	subscriptions int
	ordering      string // of every subscription
	warmUp        int    // events
	repeats       int
	timeout       time.Duration // of one run
	binary        string        // "" = build it
	databaseURL   string        // "" = SQLite in the run's data folder
	sample        time.Duration // 0 = not
	keep          bool
	stored        int // events delivered long ago, before the run
	waiting       int // events due in a day, before the run
	// eventsPerWorkflow is POSTHORN_EVENTS_PER_WORKFLOW; 0 = unset.
	eventsPerWorkflow int
	settings          pairs
	suite             string // "" = one measurement
}

// environment is what the options add to that of Posthorn's processes.
func (o *options) environment() []string {
	if o.eventsPerWorkflow == 0 {
		return o.settings
	}
	return append([]string{fmt.Sprintf("POSTHORN_EVENTS_PER_WORKFLOW=%d", o.eventsPerWorkflow)}, o.settings...)
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.mode, "mode", modeClosed, "closed: workers publish back to back; open: at a fixed rate;"+
		" drain: a backlog comes due at once; idle: nothing;"+
		" stored: what takes longer with -stored 1000000 -waiting 100000")
	flags.StringVar(&o.topology, "topology", topologyEmbedded, "embedded: posthorn dev; cluster: api, worker and posthorn temporal"+
		" on a Postgres of their own, all of whose CPU is counted")
	flags.IntVar(&o.events, "events", 2000, "closed, drain: how many events to publish")
	flags.IntVar(&o.concurrency, "concurrency", 32, "closed, drain: how many workers publish")
	flags.Float64Var(&o.rate, "rate", 20, "open: events a second")
	flags.DurationVar(&o.duration, "duration", 0, "open: how long to publish (0 = 20s); idle: how long to look (0 = 1m)")
	flags.IntVar(&o.payload, "payload", 1024, "size of each payload in bytes")
	flags.IntVar(&o.subscriptions, "subscriptions", 1, "how many subscriptions get each event")
	flags.StringVar(&o.ordering, "ordering", "none", "none or fifo: each subscription is one queue")
	flags.IntVar(&o.warmUp, "warmup", 20, "events before the measurement, in no figure; 0 = none")
	flags.IntVar(&o.repeats, "repeats", 3, "how many runs; several end with a line of medians")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long one run may take; what is missing then is lost")
	flags.StringVar(&o.binary, "binary", "", "posthorn program to measure (default: go build -o bin/posthorn)")
	flags.StringVar(&o.databaseURL, "database-url", "", "postgres://… (default: SQLite); its own server's CPU is not counted")
	flags.DurationVar(&o.sample, "sample", 0, "for a soak: note memory, descriptors and goroutines so often; 0 = not")
	flags.BoolVar(&o.keep, "keep", false, "keep each run's data folder and log")
	flags.IntVar(&o.stored, "stored", 0, "events that were delivered long ago, in the database before the run")
	flags.IntVar(&o.waiting, "waiting", 0, "events that are due in a day, in the database before the run")
	flags.IntVar(&o.eventsPerWorkflow, "events-per-workflow", 0, "POSTHORN_EVENTS_PER_WORKFLOW; 0 = Posthorn's default")
	flags.Var(&o.settings, "env", "KEY=VALUE for Posthorn's processes; may be given several times")
	flags.Var((*suiteName)(&o.suite), "suite", "run a list of measurements instead: -suite (targets), -suite quick (each once),"+
		" -suite growth; of the other flags -binary, -env, -repeats, -timeout and -keep count")
	if err := parseAll(flags, args); err != nil {
		return o, err
	}
	o.complete()
	return o, o.check()
}

// complete fills in what follows from the mode.
func (o *options) complete() {
	switch o.mode {
	case modeOpen:
		if o.duration == 0 {
			o.duration = 20 * time.Second
		}
		o.events = int(o.rate * o.duration.Seconds())
	case modeIdle:
		if o.duration == 0 {
			o.duration = time.Minute
		}
		o.events = 0
	case modeStored:
		if o.stored == 0 && o.waiting == 0 {
			o.stored, o.waiting = fullStored, fullWaiting
		}
	}
}

func (o *options) check() error {
	switch {
	case !slices.Contains([]string{modeClosed, modeOpen, modeDrain, modeIdle, modeStored}, o.mode):
		return errors.New("-mode is closed, open, drain, idle or stored")
	case o.topology != topologyEmbedded && o.topology != topologyCluster:
		return errors.New("-topology is embedded or cluster")
	case o.topology == topologyCluster && (o.databaseURL != "" || o.sample > 0):
		return errors.New("-topology cluster has a database of its own, and no -sample")
	case o.mode != modeIdle && o.events < 1 || o.events > maxEvents:
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
	case o.stored < 0 || o.waiting < 0 || o.stored+o.waiting > maxHistory:
		return fmt.Errorf("-stored and -waiting are 0 to %d together", maxHistory)
	case (o.stored > 0 || o.waiting > 0) && o.databaseURL != "":
		return errors.New("-stored and -waiting are for a database of the benchmark's own, not for -database-url")
	case o.mode == modeStored && (o.stored < fewStored || o.waiting < fewWaiting || o.databaseURL != ""):
		return fmt.Errorf("-mode stored wants -stored and -waiting of %d or more, and no -database-url", fewWaiting)
	case o.eventsPerWorkflow < 0:
		return errors.New("-events-per-workflow is 1 or more")
	case o.sample < 0 || (o.sample > 0 && o.sample < time.Second):
		return errors.New("-sample is 1s or more")
	default:
		return nil
	}
}

func (o *options) database() string {
	if o.databaseURL == "" && o.topology != topologyCluster {
		return "sqlite"
	}
	return "postgres"
}
