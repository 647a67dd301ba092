package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// notify checks that a Notify reaches every Listen of the same database, and that listening ends with its context.
func notify(t *testing.T, w *world) {
	t.Helper()
	if !w.postgres() {
		require.NoError(t, w.Notify(t.Context()))
		w.Listen(t.Context(), func() { t.Error("there is no other process to be woken by") })
		return
	}
	ctx, stop := context.WithCancel(t.Context())
	const listeners = 2
	woken := make([]chan struct{}, listeners)
	ended := make(chan struct{}, listeners)
	for i := range woken {
		woken[i] = make(chan struct{}, 16)
		go func() {
			w.Listen(ctx, func() { woken[i] <- struct{}{} })
			ended <- struct{}{}
		}()
	}
	for range 3 { // once for the connection, and once for each Notify
		for i := range woken {
			<-woken[i]
		}
		require.NoError(t, w.Notify(t.Context()))
	}
	stop()
	for range listeners {
		<-ended
	}
}
