//go:build fault && linux

package fault_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestF13_NoSpaceLeftOnTheDevice(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { runsOutOfSpace(t, shape{}) })
	t.Run("cluster", func(t *testing.T) { runsOutOfSpace(t, shape{apis: 1, workers: 1}) })
}

// runsOutOfSpace publishes to a deployment whose databases are on a full disk, until it has been refused for a while,
// and makes room again.
func runsOutOfSpace(t *testing.T, s shape) {
	const first, refusals = 20, 50
	disk := newSmallDisk(t)
	s.data = disk.dir
	d := deploy(t, s)
	l := newLoad(t, d, loadOf{})
	l.publisher.many(t, 0, first, 4, kind(0))

	disk.fill(t)
	n := first
	for refused := 0; refused < refusals; n++ {
		require.Less(t, n, 20_000, "the fault did not fire")
		a, err := l.publishOnce(t, n)
		require.NoError(t, err)
		if a.status != http.StatusAccepted {
			require.Equal(t, http.StatusServiceUnavailable, a.status, "%s", a.body)
			require.NotEmpty(t, a.header.Get("Retry-After"))
			refused++
		}
	}
	taken := len(l.publisher.accepted())
	<-time.After(outageOf(10 * time.Second)) // what was taken before has retries, claims and settlements that fail now
	disk.makeRoom(t)
	began := time.Now()
	d.startWhatRanOutOfSpace(t)

	l.publisher.many(t, first, n-first, 4, kind(0)) // in again, under the keys they had: none twice
	l.receiver.awaitDelivered(t, n, patience)
	t.Logf("%d events were taken until it was full; all %d delivered %s after there was room again",
		taken, n, time.Since(began).Round(time.Millisecond))
	l.check(t)
	if d.embedded != nil {
		_, err := d.embedded.stop()
		require.NoError(t, err)
		require.Equal(t, "ok", integrity(t, filepath.Join(disk.dir, "data", "posthorn.db")))
	}
}

// startWhatRanOutOfSpace starts a Postgres that ended for want of space, as its administrator would. Posthorn's own
// processes have to be there still.
func (d *deployment) startWhatRanOutOfSpace(t *testing.T) {
	t.Helper()
	if d.postgres != nil && !d.postgres.Runs() {
		t.Log("Postgres had ended")
		require.NoError(t, d.postgres.StopNow())
		require.NoError(t, d.postgres.Start())
	}
	d.ready(t)
}

// smallDisk is a file system of its own, in memory.
type smallDisk struct{ dir, filler string }

// newSmallDisk is mounted, which takes root.
func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	const size = "size=192m,mode=1777"             // an empty Postgres has 60 MB
	dir, err := os.MkdirTemp("", "posthorn-disk-") //nolint:usetesting // that one's parent is closed to Postgres's user
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.Remove(dir) })
	err = syscall.Mount("posthorn", dir, "tmpfs", 0, size)
	if errors.Is(err, syscall.EPERM) {
		t.Skip("a file system can be mounted by root alone")
	}
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &smallDisk{dir: dir, filler: filepath.Join(dir, "filler")}
}

// fill takes all the space that is left.
func (s *smallDisk) fill(t *testing.T) {
	t.Helper()
	file, err := os.Create(s.filler)
	require.NoError(t, err)
	zeroes, err := os.Open("/dev/zero")
	require.NoError(t, err)
	defer func() { _ = zeroes.Close() }()
	_, err = io.Copy(file, zeroes)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
}

func (s *smallDisk) makeRoom(t *testing.T) {
	t.Helper()
	require.NoError(t, os.Remove(s.filler))
}
