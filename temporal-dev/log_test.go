package temporaldev_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"

	temporaldev "github.com/posthorn/posthorn/temporal-dev"
)

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := temporaldev.NewRunningLogger(slog.New(slog.NewTextHandler(&out, nil)))

	log.With(l, tag.WorkflowID("event/1")).Warn("slow", tag.Error(errors.New("disk")))
	l.Warn("slow")
	l.Info("narrated")
	require.Equal(t, 1, strings.Count(out.String(), "\n"), "neither the repeated nor the narrated: %s", out.String())
	require.Contains(t, out.String(), `level=WARN msg="temporal: slow" temporal.wf-id=event/1 temporal.error=disk`)
}

func TestFatalEndsTheGoroutineOnly(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := temporaldev.NewRunningLogger(slog.New(slog.NewTextHandler(&out, nil)))

	ended := make(chan bool, 1)
	go func() {
		returned := false
		defer func() { ended <- returned }()
		l.Fatal("no listener")
		returned = true
	}()
	require.False(t, <-ended)
	require.Contains(t, out.String(), "no listener")
}

func TestDynamicConfigRefusesUnknownKeys(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, temporaldev.LoadDynamicConfig("history.noSuchKey: [{value: 1}]"), "history.nosuchkey")
	require.ErrorContains(t, temporaldev.LoadDynamicConfig("history.rps: [{value: many}]"), "history.rps")
}
