package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRetriesAndRedeliveriesAreFairBySubscription(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("a", hourly(3), okAfter(2))
	w.add("b", hourly(3), okAfter(2))
	w.after(time.Minute, func() { w.redeliver("c", "a") })

	w.deliver("a", "b")

	var keys []string
	for _, options := range w.options {
		keys = append(keys, options.Priority.FairnessKey)
	}
	require.ElementsMatch(t, []string{"sub of a", "sub of b", "sub of a"}, keys, "two activities and a redelivery")
}
