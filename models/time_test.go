package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestTimesAreRFC3339(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"2014-06-18T14:20:30Z":                time.Date(2014, 6, 18, 14, 20, 30, 0, time.UTC),
		"2014-06-18T14:20:30.45+03:00":        time.Date(2014, 6, 18, 11, 20, 30, 450_000_000, time.UTC),
		"0001-01-01T00:00:00Z":                {},
		"9999-12-31T23:59:59.999999999-23:59": time.Date(10000, 1, 1, 23, 58, 59, 999_999_999, time.UTC),
	} {
		at, err := models.ParseTime(text)
		require.NoError(t, err, text)
		require.True(t, want.Equal(at), "%s is %s", text, at)
	}
	for _, text := range []string{
		"", "yesterday", "2014-06-18", "2014-06-18T14:20:30", "2014-06-18 14:20:30Z", "2014-06-18t14:20:30z",
		"2014-06-18T14:20:30,45+03:00", "2014-06-18T4:20:30Z", "2014-06-18T14:20:30.Z", "2014-06-18T14:20:30+0300",
		"2014-06-18T14:20:30+24:00", "2014-06-18T14:20:60Z", "2014-02-30T14:20:30Z", "2014-06-18T24:00:00Z",
		"2014-06-18T14:20:30Z ", "\n2014-06-18T14:20:30Z", "１014-06-18T14:20:30Z", "10000-01-01T00:00:00Z",
	} {
		_, err := models.ParseTime(text)
		require.Error(t, err, text)
	}
}
