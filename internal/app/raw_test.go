package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rawSink is a receiver that keeps the requests' heads as they came over the wire: net/http would rewrite the names
// of headers. It answers its statuses in order, then repeats the last one.
type rawSink struct {
	url      string
	mu       sync.Mutex
	statuses []int
	requests chan rawRequest
}

type rawRequest struct {
	// lines are the header lines, without the request line.
	lines []string
	body  []byte
}

// header returns the values of the header in exactly this spelling.
func (r rawRequest) header(name string) []string {
	var values []string
	for _, line := range r.lines {
		if value, found := strings.CutPrefix(line, name+": "); found {
			values = append(values, value)
		}
	}
	return values
}

func newRawSink(t *testing.T, statuses ...int) *rawSink {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &rawSink{url: "http://" + listener.Addr().String(), statuses: statuses, requests: make(chan rawRequest, 100)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(ctx, conn)
		}
	}()
	return s
}

// serve reads one request, notes it and answers; it closes the connection, so that the next request has its own.
func (s *rawSink) serve(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	reader := bufio.NewReader(conn)
	r, length := rawRequest{}, 0
	head := textproto.NewReader(reader)
	if _, err := head.ReadLine(); err != nil {
		return
	}
	for {
		line, err := head.ReadLine()
		if err != nil {
			return
		}
		if line == "" {
			break
		}
		r.lines = append(r.lines, line)
		if value, found := strings.CutPrefix(strings.ToLower(line), "content-length: "); found {
			length, _ = strconv.Atoi(value)
		}
	}
	r.body = make([]byte, length)
	if _, err := io.ReadFull(reader, r.body); err != nil {
		return
	}
	s.requests <- r
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", s.next())
}

func (s *rawSink) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := 200
	if len(s.statuses) > 0 {
		next = s.statuses[0]
	}
	if len(s.statuses) > 1 {
		s.statuses = s.statuses[1:]
	}
	return next
}

// await is the next request.
func (s *rawSink) await(t *testing.T) rawRequest {
	t.Helper()
	select {
	case r := <-s.requests:
		return r
	case <-time.After(patience):
		require.FailNow(t, "no request arrived")
		return rawRequest{}
	}
}
