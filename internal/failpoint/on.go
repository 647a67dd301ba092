//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Env names the variable that arms one failpoint: NAME, NAME:N for its Nth hit (default 1), and +DURATION behind
// that to let the rest of the process go on for so long first: accept-answering:3+500ms.
const Env = "POSTHORN_FAILPOINT"

// point is the armed failpoint.
type point struct {
	name  string
	delay time.Duration
	// left counts the hits down.
	left atomic.Int64
}

//nolint:gochecknoglobals // the environment is the process's, and so is what it arms
var armed = sync.OnceValue(func() *point {
	p, err := parse(os.Getenv(Env))
	if err != nil {
		panic(err) // a fault test that arms nothing would prove nothing
	}
	return p
})

// parse reads the variable's text; "" arms nothing.
func parse(text string) (*point, error) {
	p := &point{}
	text, delay, delayed := strings.Cut(text, "+")
	name, count, counted := strings.Cut(text, ":")
	p.name = name
	hits := int64(1)
	var err error
	if counted {
		if hits, err = strconv.ParseInt(count, 10, 64); err != nil || hits < 1 {
			return nil, fmt.Errorf("%s: %q is not a number of hits", Env, count)
		}
	}
	if delayed {
		if p.delay, err = time.ParseDuration(delay); err != nil {
			return nil, fmt.Errorf("%s: %w", Env, err)
		}
	}
	p.left.Store(hits)
	return p, nil
}

// Hit ends the process by SIGKILL, which nothing can catch or clean up after, where the environment armed this place.
func Hit(name string) {
	p := armed()
	if p.name != name || p.left.Add(-1) != 0 {
		return
	}
	<-time.After(p.delay)
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// EnvClock names the variable by which the process's clock is ahead, as a duration; a negative one is behind.
const EnvClock = "POSTHORN_FAILPOINT_CLOCK"

//nolint:gochecknoglobals // as armed
var ahead = sync.OnceValue(func() time.Duration {
	text := os.Getenv(EnvClock)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
})

// Now is the machine's clock, set wrong as the environment says.
func Now() time.Time { return time.Now().Add(ahead()) }

// EnvPages names the variable that bounds a SQLite file, in pages: a disk that is full without one to fill.
const EnvPages = "POSTHORN_FAILPOINT_PAGES"

// Pages is that bound; 0 = none.
func Pages() int {
	n, _ := strconv.Atoi(os.Getenv(EnvPages)) // 0 where it is not set
	return n
}
