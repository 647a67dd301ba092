// Package listen is a receiver for developers: it prints each delivery that comes, verifies it, and answers as it is
// told. It knows Posthorn as a customer does.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

const (
	// maxBody is the largest delivery that is read, in bytes: Posthorn's largest payload and its envelope.
	maxBody = 2 << 20
	// maxConnections is how many senders are served at one time.
	maxConnections = 128
	// maxHeader bounds the headers of a request, in bytes.
	maxHeader = 64 << 10
	// readTimeout is how long a sender may take for a request.
	readTimeout = 30 * time.Second
)

// Options say what to expect and how to answer.
type Options struct {
	// Address is where to listen; port 0 = a free one.
	Address string
	// Verifier tells what is genuine. One that has nothing to verify makes deliveries "not verified".
	Verifier posthorn.Verifier
	// Handshake is the JSON that a GET is answered with, as profiles that verify URLs want it; nil = 404.
	Handshake []byte
	// Status answers what is genuine or cannot be verified. What is wrong gets 401, what is too large 413.
	Status int
	// Delay holds each answer back.
	Delay time.Duration
	// Count ends Run after so many deliveries; 0 = never.
	Count int
	// JSON prints one JSON object a line instead of blocks.
	JSON bool
	// Out gets what is printed.
	Out io.Writer
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// errWrong means that Count deliveries came and not all of them were genuine.
var errWrong = errors.New("a delivery was not genuine")

// Run listens until ctx ends, or Count deliveries came: it then fails if one was wrong. It calls started with the URL
// once deliveries can come.
func Run(ctx context.Context, o Options, started func(url string)) error {
	l := &listener{Options: o, done: make(chan struct{})}
	if l.Now == nil {
		l.Now = time.Now
	}
	socket, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Address)
	if err != nil {
		return fmt.Errorf("listen for deliveries: %w", err)
	}
	server := &http.Server{
		Handler: l, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, MaxHeaderBytes: maxHeader,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(netutil.LimitListener(socket, maxConnections)) }()
	started("http://" + socket.Addr().String())
	return l.wait(ctx, server, failed)
}

// listener is one run.
type listener struct {
	Options

	mu    sync.Mutex
	count int
	wrong bool
	done  chan struct{}
}

func (l *listener) wait(ctx context.Context, server *http.Server, failed <-chan error) error {
	select {
	case err := <-failed:
		return fmt.Errorf("listen for deliveries: %w", err)
	case <-ctx.Done():
		return server.Close()
	case <-l.done:
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Delay+time.Second)
	defer cancel()
	err := server.Shutdown(ending) // the last answer is on its way
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong {
		return errWrong
	}
	return err
}

// ServeHTTP takes a delivery, or answers a handshake.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d := l.judge(r)
	if l.Delay > 0 {
		select {
		case <-r.Context().Done():
		case <-time.After(l.Delay):
		}
	}
	if d.Verdict == handshake {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(d.Status)
	if d.Verdict == handshake {
		_, _ = w.Write(l.Handshake) // a sender that is gone needs no answer
	}
	l.note(d)
}

// judge reads the request and says what it is and how to answer it.
func (l *listener) judge(r *http.Request) delivery {
	d := delivery{At: l.Now(), Method: r.Method, Path: r.URL.RequestURI(), Headers: l.interesting(r.Header), Status: l.Status}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		d.Verdict, d.Status = handshake, http.StatusOK
		if l.Handshake == nil {
			d.Verdict, d.Status, d.Reason = ignored, http.StatusNotFound, "no delivery, and --handshake-key was not given"
		}
		return d
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		d.Verdict, d.Status, d.Reason = ignored, http.StatusBadRequest, "the body ended early: "+err.Error()
		return d
	case len(body) > maxBody:
		d.Verdict, d.Status, d.Reason = ignored, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is over %d bytes", maxBody)
		return d
	}
	d.Body = body
	switch err := l.Verifier.Verify(r.Header, body); {
	case err == nil:
		d.Verdict = verified
	case errors.Is(err, posthorn.ErrNothingToVerify):
		d.Verdict = unverified
	default:
		d.Verdict, d.Status, d.Reason = wrong, http.StatusUnauthorized, err.Error()
	}
	return d
}

// note prints the request, one at a time, and counts deliveries.
func (l *listener) note(d delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.JSON {
		_, _ = l.Out.Write(d.line())
	} else {
		_, _ = l.Out.Write(d.block())
	}
	if d.Verdict == handshake || d.Verdict == ignored {
		return
	}
	l.wrong = l.wrong || d.Verdict == wrong
	if l.count++; l.count == l.Count {
		close(l.done)
	}
}
