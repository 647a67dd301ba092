package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func keys(live []models.SigningSecret) []string {
	out := []string{}
	for _, s := range live {
		out = append(out, s.Symmetric)
	}
	return out
}

func TestRotate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := models.Secrets{SecurityKey: "k"}
	s.Rotate(models.SigningSecret{Symmetric: "a"}, now, 24*time.Hour, 2)
	require.Equal(t, []string{"a"}, keys(s.LiveSigning(now.Add(1000*time.Hour))), "the newest never expires")

	s.Rotate(models.SigningSecret{Symmetric: "b"}, now, 24*time.Hour, 2)
	require.Equal(t, []string{"b", "a"}, keys(s.LiveSigning(now.Add(24*time.Hour-1))))
	require.Equal(t, []string{"b"}, keys(s.LiveSigning(now.Add(24*time.Hour))))

	// Two updates in a row end the first where two may live.
	s.Rotate(models.SigningSecret{Symmetric: "c"}, now.Add(time.Hour), 24*time.Hour, 2)
	require.Equal(t, []string{"c", "b"}, keys(s.LiveSigning(now.Add(time.Hour))))
	require.Equal(t, "k", s.SecurityKey)
}

func TestRotateKeepsTheEarlierEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s models.Secrets
	s.Rotate(models.SigningSecret{Symmetric: "a"}, now, 0, 10)
	s.Rotate(models.SigningSecret{Symmetric: "b"}, now, time.Hour, 10)
	s.Rotate(models.SigningSecret{Symmetric: "c"}, now.Add(time.Minute), 24*time.Hour, 10)
	require.Equal(t, []string{"c", "b", "a"}, keys(s.LiveSigning(now.Add(time.Minute))))
	require.Equal(t, []string{"c", "b"}, keys(s.LiveSigning(now.Add(time.Hour))), "a still ends after its own hour")
}

func TestRotateAtOnceAfterALeak(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s models.Secrets
	s.Rotate(models.SigningSecret{Symmetric: "a"}, now, time.Hour, 10)
	s.Rotate(models.SigningSecret{Symmetric: "b"}, now, 0, 10)
	require.Equal(t, []string{"b"}, keys(s.LiveSigning(now)))
	require.Len(t, s.Signing, 1)
}

func TestSubscriptionStatus(t *testing.T) {
	t.Parallel()
	sub := models.Subscription{Enabled: true, Verified: true}
	require.Equal(t, models.SubscriptionActive, sub.Status())
	require.True(t, sub.Receives())
	sub.Failing = true
	require.Equal(t, models.SubscriptionFailing, sub.Status())
	require.True(t, sub.Receives())
	sub.Verified = false
	require.Equal(t, models.SubscriptionUnverified, sub.Status())
	require.False(t, sub.Receives())
	sub.Enabled = false
	require.Equal(t, models.SubscriptionDisabled, sub.Status())
	sub.Gone = true
	require.Equal(t, models.SubscriptionGone, sub.Status())
	require.False(t, sub.Receives())
}

func TestIDs(t *testing.T) {
	t.Parallel()
	last := ""
	for range 1000 {
		id := models.NewID()
		require.True(t, models.IsID(id))
		require.Greater(t, id, last)
		last = id
	}
	for _, id := range []string{"", "x", "0190163D-8694-739B-AEA5-966C26F8AD91", "{190163d-8694-739b-aea5-966c26f8ad9}", last + "0", last[:35]} {
		require.False(t, models.IsID(id), id)
	}
}
