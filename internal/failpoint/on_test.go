//go:build failpoint

package failpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatArmsAFailpoint(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		name  string
		hits  int64
		delay time.Duration
	}{
		"":                    {"", 1, 0},
		"claim-stored":        {"claim-stored", 1, 0},
		"claim-stored:3":      {"claim-stored", 3, 0},
		"accept:2+500ms":      {"accept", 2, 500 * time.Millisecond},
		"accept-answering+1s": {"accept-answering", 1, time.Second},
	} {
		p, err := parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want.name, p.name, text)
		require.Equal(t, want.hits, p.left.Load(), text)
		require.Equal(t, want.delay, p.delay, text)
	}
	for _, text := range []string{"a:0", "a:x", "a+soon"} {
		_, err := parse(text)
		require.Error(t, err, text)
	}
}
