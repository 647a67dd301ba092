// Handshakes: how many GETs to unproven URLs may be in flight.
package api

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// slowURLs makes a world whose URLs answer handshakes when release is called. Each that has begun is told in begun.
func slowURLs(w *world) (begun chan string, release func()) {
	begun, open := make(chan string, 2*maxHandshakes), make(chan struct{})
	w.verify = func(url, _, _ string) error {
		begun <- url
		<-open
		return nil
	}
	release = sync.OnceFunc(func() { close(open) })
	w.t.Cleanup(release)
	return begun, release
}

// unproven makes n subscriptions of a new application with a handshake, and returns their verify routes.
func unproven(w *world, n int) (routes []string) {
	app := w.application("viva", "")
	for i := range n {
		sub := w.subscription(app, `{"url":"https://example.com/`+strconv.Itoa(i)+`","event_types":[1796]}`)
		routes = append(routes, "/v1/subscriptions/"+sub+"/verify")
	}
	return routes
}

func TestVerifyIsNoCannon_OneHandshakeOfASubscriptionAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	route := unproven(w, 1)[0]
	begun, release := slowURLs(w)
	first := make(chan *reply, 1)
	go func() { first <- w.op("POST", route, "") }()
	<-begun
	w.op("POST", route, "").problem(409, models.CodeConflict)
	require.Empty(t, begun, "no request was sent")
	release()
	(<-first).is(200)
	w.op("POST", route, "").is(200)
}

func TestVerifyIsNoCannon_HandshakesAreBoundedInAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := make([][]string, maxHandshakes/maxHandshakesOfOne+1)
	for i := range routes {
		routes[i] = unproven(w, maxHandshakesOfOne+1)
	}
	begun, release := slowURLs(w)
	answers := make(chan *reply, maxHandshakes)
	for _, own := range routes[1:] {
		for _, route := range own[1:] {
			go func() { answers <- w.op("POST", route, "") }()
		}
		for range own[1:] {
			<-begun
		}
		refused := w.op("POST", own[0], "")
		refused.problem(429, models.CodeRateLimited)
		require.Equal(t, "1", refused.header.Get("Retry-After"))
	}
	refused := w.op("POST", routes[0][0], "")
	require.Contains(t, refused.problem(429, models.CodeRateLimited)["detail"], strconv.Itoa(maxHandshakes))
	require.Equal(t, "1", refused.header.Get("Retry-After"))
	require.Empty(t, begun, "no request was sent")

	release()
	for range maxHandshakes {
		(<-answers).is(200)
	}
	for _, own := range routes {
		w.op("POST", own[0], "").is(200)
	}
}
