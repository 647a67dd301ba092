package app_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sink is a scripted receiver: it answers its script in order, then repeats the last entry, and records every request.
type sink struct {
	*httptest.Server
	t  *testing.T
	mu sync.Mutex
	// script are the answers to come; the last one stays.
	script []answer
	// judge makes the status from the body instead; nil = the script does.
	judge func(body []byte) int
	// decide makes the whole answer from the request instead; nil = judge or the script does.
	decide func(r request) answer
	// shown answers every GET, if it is set; the script is for the rest.
	shown    *answer
	requests []request
	// open are the requests that have not been answered, and atOnce the most that there were.
	open, atOnce int
	// arrived is signalled, never blocked on, after each request was recorded.
	arrived chan struct{}
}

// answer is a status, or something else that a receiver may do.
type answer struct {
	status int
	body   string
	// hang holds the answer back until the test ends or the sender gives up.
	hang bool
	// drop closes the connection instead.
	drop bool
	// after delays it.
	after time.Duration
	// header is added to it.
	header http.Header
}

type request struct {
	at     time.Time
	from   string
	method string
	target string
	header http.Header
	body   []byte
}

func status(codes ...int) []answer {
	script := make([]answer, 0, len(codes))
	for _, code := range codes {
		script = append(script, answer{status: code})
	}
	return script
}

// newReceiver serves the handler for the test. Its port is not given back while the process lives: somebody whose own
// receiver had ended would deliver to whoever got the port next. After the test it answers 410.
func newReceiver(t *testing.T, handler http.Handler) *httptest.Server {
	t.Helper()
	var ended atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "PRI" { // a worker of another test looks for its stopped Temporal server, whose port this was
			return
		}
		if ended.Load() {
			w.WriteHeader(http.StatusGone)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		ended.Store(true)
		s.CloseClientConnections()
	})
	return s
}

func newSink(t *testing.T, script ...answer) *sink {
	t.Helper()
	s := &sink{t: t, script: script, arrived: make(chan struct{}, 1)}
	ended := make(chan struct{})
	s.Server = newReceiver(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a := s.record(r, body)
		defer s.answered()
		if a.hang {
			select {
			case <-r.Context().Done():
			case <-ended:
			}
			return
		}
		if a.drop {
			panic(http.ErrAbortHandler)
		}
		if a.after > 0 {
			<-time.After(a.after)
		}
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(func() { close(ended) })
	return s
}

func (s *sink) record(r *http.Request, body []byte) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.atOnce = max(s.atOnce, s.open)
	came := request{
		at: time.Now(), from: r.RemoteAddr, method: r.Method, target: r.URL.RequestURI(), header: r.Header.Clone(), body: body,
	}
	s.requests = append(s.requests, came)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	if s.decide != nil {
		return s.decide(came)
	}
	if s.judge != nil {
		return answer{status: s.judge(body)}
	}
	if r.Method == http.MethodGet && s.shown != nil {
		return *s.shown
	}
	next := answer{status: http.StatusOK}
	if len(s.script) > 0 {
		next = s.script[0]
	}
	if len(s.script) > 1 {
		s.script = s.script[1:]
	}
	return next
}

// answered notes the end of a request, before its answer leaves: small ones do when the handler has returned.
func (s *sink) answered() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// mostAtOnce is the largest number of requests that were being answered at one time.
func (s *sink) mostAtOnce() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.atOnce
}

// answers replaces the rest of the script.
func (s *sink) answers(script ...answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// judges makes the sink answer by the body instead of its script; nil = by its script again.
func (s *sink) judges(judge func(body []byte) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.judge = judge
}

// decides makes the sink answer by the request instead of its script.
func (s *sink) decides(decide func(r request) answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.decide = decide
}

// shows sets the answer to every GET.
func (s *sink) shows(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = &a
}

// got returns the requests so far.
func (s *sink) got() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

// await returns the requests once there are n; it fails the test when they do not come in time.
func (s *sink) await(n int) []request {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		if got := s.got(); len(got) >= n {
			return got
		}
		select {
		case <-s.arrived:
		case <-deadline:
			require.FailNowf(s.t, "requests did not arrive", "want %d, got %d", n, len(s.got()))
		}
	}
}

// quiet fails the test if another request arrives within the time.
func (s *sink) quiet(span time.Duration) {
	s.t.Helper()
	before := len(s.got())
	<-time.After(span)
	require.Len(s.t, s.got(), before, "no further request was expected")
}
