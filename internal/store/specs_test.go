// Tests of what a process keeps of specs.

package store

import (
	"crypto/sha256"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

func TestSpecsInMemoryDoNotGrowWithEveryChange(t *testing.T) {
	t.Parallel()
	var known byDigest[int]
	digest := func(i int) []byte {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		return sum[:]
	}
	_, ok := known.get(digest(0))
	require.False(t, ok)
	for i := range 3 * maxSpecs {
		known.put(digest(i), i)
		found, ok := known.get(digest(i))
		require.True(t, ok)
		require.Equal(t, i, found)
		require.LessOrEqual(t, len(known.known), maxSpecs)
	}
	size := len(known.known)
	known.put(digest(3*maxSpecs-1), 7)
	require.Len(t, known.known, size, "it was there")
	_, ok = known.get(digest(0))
	require.False(t, ok, "it is read anew")
}

func TestASpecThatMemoryLostIsStoredAndReadAgain(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "posthorn.db")})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	require.NoError(t, s.Migrate(t.Context()))
	want := models.Spec{
		Success: models.Success2xx(), Timeout: models.Duration(time.Second), On410: models.On410Gone, MaxInFlight: 77,
		Retry: models.RetryPolicy{Kind: models.RetryFixed, Interval: models.Duration(time.Hour), MaxAttempts: 3},
	}
	stored, err := want.Store()
	require.NoError(t, err)
	for range 2 {
		batch := []*Acceptance{{Specs: []models.StoredSpec{stored}}}
		require.NoError(t, s.write(t.Context(), func(tx *gorm.DB) error { return s.storeSpecs(tx, batch[0].Specs) }))
		s.rememberSpecs(batch)
		_, known := s.storedSpecs.get(stored.Digest)
		require.True(t, known)
		found, err := s.spec(s.read(t.Context()), stored.Digest)
		require.NoError(t, err)
		require.Equal(t, want.MaxInFlight, found.MaxInFlight)
		s.storedSpecs.known, s.specs.known = nil, nil // as if very many others had come
	}
}
