//go:build long

package app_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/testutil"
)

// The full size of what jobs_test.go shows, one database after the other: `make test-long`.
const (
	manyFailures = 2000
	highRate     = 200
)

func TestTHR8_Long_AJobOf2000IsSteered(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) { shared.on(t, database).jobIsSteered(manyFailures, highRate) })
	}
}

func TestTHR8_Long_ARestartInTheMiddleOf2000SendsNothingTwice(t *testing.T) {
	for name, database := range databases(t) {
		t.Run(name, func(t *testing.T) { jobSurvivesARestart(t, database(t), manyFailures, highRate) })
	}
}

func TestTHR8_Long_AJobKeepsItsRate(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			w := shared.on(t, database)
			receiver := newSink(t)
			app := w.failures(receiver, manyFailures)
			before, cpu := len(receiver.got()), testutil.CPUTime(t)
			job := w.redeliveries(app, fmt.Sprintf(`{"filter":{"status":"failed"},"rate":%d}`, highRate))
			w.jobEnds(job["id"], 4*patience)
			spent := testutil.CPUTime(t) - cpu
			sent := receiver.got()[before:]
			requireOnce(t, manyFailures, receiver.deliveries(before))
			took, most := sent[len(sent)-1].at.Sub(sent[0].at), mostInASecond(sent)
			t.Logf("%d in %s, at most %d in a second, %.1f ms of CPU each",
				len(sent), took.Round(10*time.Millisecond), most, float64(spent.Milliseconds())/manyFailures)
			require.GreaterOrEqual(t, took, manyFailures*time.Second/highRate-time.Second)
			require.Less(t, took, manyFailures*time.Second/highRate*13/10, "the rate is not kept")
			require.LessOrEqual(t, most, highRate*8/5)
		})
	}
}

func mostInASecond(sent []request) int {
	slices.SortFunc(sent, func(a, b request) int { return a.at.Compare(b.at) })
	most, from := 0, 0
	for to := range sent {
		for sent[to].at.Sub(sent[from].at) >= time.Second {
			from++
		}
		most = max(most, to-from+1)
	}
	return most
}
