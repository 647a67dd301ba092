package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

var errRefused = errors.New("refused")

// noting writes one setting, or fails behind it.
func noting(name string, failure error) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error {
		if err := tx.Exec("INSERT INTO settings (name, value) VALUES (?, 'x')", name).Error; err != nil {
			return err
		}
		return failure
	}
}

// noted lists the settings that are stored.
func noted(t *testing.T, s *store.Store) (names []string) {
	t.Helper()
	require.NoError(t, s.Write(t.Context(), func(tx *gorm.DB) error {
		return tx.Raw("SELECT name FROM settings WHERE value = 'x' ORDER BY name").Scan(&names).Error
	}))
	return names
}

func openSQLite(t *testing.T) *store.Store {
	t.Helper()
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "posthorn.db"), time.Now)
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestAWriteThatFailsTakesNothingOfTheOthersBack(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	errs := s.WriteTogether(t.Context(),
		noting("a", nil), noting("b", errRefused), noting("c", nil), noting("c", nil), noting("d", nil))
	require.Len(t, errs, 5)
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], errRefused)
	require.NoError(t, errs[2])
	require.ErrorContains(t, errs[3], "UNIQUE")
	require.NoError(t, errs[4])
	require.Equal(t, []string{"a", "c", "d"}, noted(t, s))
}

// SQLite itself rolls a transaction back when the disk is full; whoever shared it has done nothing wrong.
func TestWritesWhoseTransactionWasTakenBackRunAgain(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	takeBack := func(tx *gorm.DB) error { return errors.Join(tx.Exec("ROLLBACK").Error, errRefused) }
	errs := s.WriteTogether(t.Context(), noting("a", nil), takeBack, noting("b", nil))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], errRefused)
	require.NoError(t, errs[2])
	require.Equal(t, []string{"a", "b"}, noted(t, s))
}

func TestAWritesPanicIsItsCallersAlone(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	require.PanicsWithValue(t, "a fault of ours", func() {
		_ = s.Write(t.Context(), func(*gorm.DB) error { panic("a fault of ours") })
	})
	require.NoError(t, s.Write(t.Context(), noting("after", nil)))
	require.Equal(t, []string{"after"}, noted(t, s))
}

func TestWritesThatWaitAreAllStored(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	var writers sync.WaitGroup
	for i := range 200 { // more than a group takes
		writers.Go(func() {
			err := s.Write(t.Context(), noting(fmt.Sprintf("%03d", i), map[bool]error{true: errRefused}[i%10 == 0]))
			if i%10 == 0 {
				require.ErrorIs(t, err, errRefused)
			} else {
				require.NoError(t, err)
			}
		})
	}
	writers.Wait()
	require.Len(t, noted(t, s), 180)
}

func TestAWriteWaitsNoLongerThanItsCaller(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	began, end := make(chan struct{}), make(chan struct{})
	var first sync.WaitGroup
	first.Go(func() {
		require.NoError(t, s.Write(t.Context(), func(*gorm.DB) error {
			close(began)
			<-end
			return nil
		}))
	})
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := s.Write(ctx, noting("late", nil))
	close(end)
	first.Wait()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	refused, ok := errors.AsType[*models.Error](err)
	require.True(t, ok)
	require.Equal(t, models.CodeUnavailable, refused.Code)
	require.Empty(t, noted(t, s))
}

func TestAClosedDatabaseTakesNoWrites(t *testing.T) {
	t.Parallel()
	s := openSQLite(t)
	s.Close()
	require.ErrorContains(t, s.Write(t.Context(), noting("late", nil)), "database is closed")
}
