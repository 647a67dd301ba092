package dispatch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAnErasureIsStartedUntilTemporalTakesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		w.erasures = []models.Erasure{{ID: "e", ApplicationID: "app"}}
		w.startErrs["erasure/e"] = errDown

		w.run(t, 3*time.Second)
		require.Empty(t, w.erasing)

		delete(w.startErrs, "erasure/e")
		w.run(t, 1500*time.Millisecond)
		require.Equal(t, []string{"erasure/e e"}, w.erasing)
	})
}
