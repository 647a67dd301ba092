// Large requests: how much of bodies a process holds at a time.
package api

import (
	"context"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/models"
)

// slowIngest accepts large events only once open is closed.
type slowIngest struct {
	Ingest
	begun, open chan struct{}
}

func (i *slowIngest) Accept(
	ctx context.Context, app *models.Application, batch []ingest.Publication,
) ([]*models.Acceptance, error) {
	if len(batch[0].Payload) > lightLoad {
		i.begun <- struct{}{}
		<-i.open
	}
	return i.Ingest.Accept(ctx, app, batch)
}

// heavyWorld is a world that holds most bytes of bodies, and accepts large events when release is called.
func heavyWorld(t *testing.T, most int64) (w *world, begun <-chan struct{}, release func()) {
	t.Helper()
	slow := &slowIngest{begun: make(chan struct{}, 64), open: make(chan struct{})}
	w = newWorldWith(t, time.Now, func(d *Dependencies) {
		slow.Ingest, d.Ingest, d.MaxLoad = d.Ingest, slow, most
	})
	release = sync.OnceFunc(func() { close(slow.open) })
	t.Cleanup(release)
	return w, slow.begun, release
}

// sized is an event with a payload of so many bytes.
func sized(n int) string { return `{"type":"t","payload":"` + strings.Repeat("x", n-2) + `"}` }

func (r *reply) overloaded() {
	r.t.Helper()
	r.problem(503, models.CodeUnavailable)
	require.Equal(r.t, "1", r.header.Get("Retry-After"))
}

func TestLargeRequestsInFlightAreBoundedTogether(t *testing.T) {
	t.Parallel()
	w, begun, release := heavyWorld(t, 5<<20) // half is room for two of 1 MiB and some
	apps := []string{w.application("standard", ""), w.application("standard", ""), w.application("standard", "")}
	path := func(i int) string { return "/v1/applications/" + apps[i] + "/events" }
	answers := make(chan *reply, 8)
	publish := func(i int, headers ...string) {
		go func() { answers <- w.op("POST", path(i), sized(1<<20), headers...) }()
		<-begun
	}
	publish(0)
	publish(0)
	w.op("POST", path(0), sized(1<<20)).overloaded()
	w.op("POST", path(0), sized(1<<20), "Transfer-Encoding", "chunked").overloaded()
	w.op("GET", path(0)+"?include=payload", "").overloaded()
	w.op("GET", path(0), "").is(200)
	w.op("POST", path(0), sized(lightLoad/2)).is(202)
	w.op("POST", path(0), sized(lightLoad/2), "Transfer-Encoding", "chunked").is(202)
	publish(1)
	publish(1)
	w.op("POST", path(2), sized(1<<20)).overloaded()
	w.op("POST", path(2), sized(1<<10)).is(202)

	release()
	for range 4 {
		(<-answers).is(202)
	}
	for i := range apps {
		w.op("POST", path(i), sized(1<<20)).is(202)
		w.op("POST", path(i), sized(1<<20), "Transfer-Encoding", "chunked").is(202)
	}
}

// Whatever the answer is, what its request held is free again.
func TestWhatARequestHoldsIsGivenBack(t *testing.T) {
	t.Parallel()
	w, _, release := heavyWorld(t, 2<<20)
	release()
	own := newTenant(w, "")
	events := "/v1/applications/" + own.app + "/events"
	made := w.event(own.app, sized(1<<20))
	id := made["invocations"].([]any)[0].(map[string]any)["id"].(string)
	settle(t, w, id, 200)
	for range 3 {
		w.op("GET", events+"?include=payload", "").is(200)
		w.op("GET", "/v1/applications/"+own.app+"/invocations?include=payload", "").is(200)
		w.op("GET", "/v1/events/"+made["id"].(string), "").is(200)
		w.op("GET", "/v1/invocations/"+id, "").is(200)
		w.op("GET", "/v1/invocations/"+id+"/logs", "").is(200)
		w.op("POST", events, sized(1<<20)).is(202)
		w.op("POST", events, sized(1<<20+1)).problem(413, models.CodePayloadTooLarge)
		w.op("POST", events, strings.Repeat(" ", 9<<20), "Transfer-Encoding", "chunked").problem(413, models.CodePayloadTooLarge)
		w.op("POST", events, strings.Repeat("x", 1<<20)).problem(400, models.CodeMalformed)
		w.op("POST", events+"/batch", `{"events":[`+sized(1<<19)+","+sized(1<<19)+`]}`).is(202)
	}
}

// Bodies arrive as they were sent, whatever is set aside for them.
func TestBodiesOfEverySizeAreReadWhole(t *testing.T) {
	t.Parallel()
	s := &server{loads: newLoads(defaultLoad)}
	for _, size := range []int{
		0, 1, lightLoad - 1, lightLoad, lightLoad + 1, lightLoad + 2, 1 << 20, firstRoom - 1, firstRoom, firstRoom + 1, maxBody - 1, maxBody,
	} {
		body := strings.Repeat("0123456789", size/10+1)[:size]
		for _, told := range []bool{true, false} {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/", io.MultiReader(strings.NewReader(body)))
			r.ContentLength = -1
			if told {
				r.ContentLength = int64(size)
			}
			c := &call{request: r}
			read, err := s.readWhole(t.Context(), c)
			require.NoError(t, err, size)
			require.True(t, body == string(read), size) //nolint:testifylint // it would print megabytes
			require.LessOrEqual(t, int64(cap(read)), max(c.load.bytes, 2*lightLoad)*5/4+4096, "more is set aside than is held")
			s.letGo(c)
		}
	}
	require.Empty(t, s.loads.shares)
	require.True(t, s.loads.all.TryAcquire(defaultLoad), "all is given back")
}

// Who tells a length and sends nothing holds nothing.
func TestABodyThatDoesNotComeHoldsNothing(t *testing.T) {
	t.Parallel()
	s := &server{loads: newLoads(defaultLoad)}
	body, send := io.Pipe()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", body)
	r.ContentLength = maxBody
	c := &call{request: r}
	done := make(chan error, 1)
	go func() {
		_, err := s.readWhole(t.Context(), c)
		done <- err
	}()
	_, err := send.Write(make([]byte, 1000))
	require.NoError(t, err)
	require.True(t, s.loads.all.TryAcquire(defaultLoad))
	s.loads.all.Release(defaultLoad)
	require.NoError(t, send.CloseWithError(io.ErrUnexpectedEOF))
	require.Equal(t, models.CodeMalformed, models.ErrorCode(<-done))
	s.letGo(c)
}

func TestWhoIsGoneWaitsForNothing(t *testing.T) {
	t.Parallel()
	s := &server{loads: newLoads(2 << 20)}
	first, second := &call{}, &call{}
	require.NoError(t, s.hold(t.Context(), first, 1<<20))
	gone, leave := context.WithCancel(t.Context())
	leave()
	require.ErrorIs(t, s.hold(gone, second, 1<<20), context.Canceled)
	s.letGo(second)
	require.NoError(t, s.hold(t.Context(), first, 1), "a light one holds nothing")
	require.NoError(t, s.hold(t.Context(), second, 100<<20), "as much as there is")
	s.letGo(first)
	s.letGo(second)
	require.Empty(t, s.loads.shares)
}
