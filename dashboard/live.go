package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
)

const (
	// liveTarget is the id of the part of a page that is kept up to date.
	liveTarget = "live"
	// maxPolls bounds how often a page that is left open asks: half an hour at the slowest pace.
	maxPolls = 600
)

// live is how a part of a page is kept up to date: the browser asks for it again and again, a bounded number of times.
type live struct {
	// URL gives the next state of the part; Seconds is when to ask for it. Over: it was asked for long enough.
	URL     string
	Seconds int
	Over    bool
}

// keepLive makes the request's own page live.
func keepLive(r *http.Request, seconds int) *live {
	query := r.URL.Query()
	polls, _ := strconv.Atoi(query.Get("polls"))
	query.Set("polls", strconv.Itoa(max(0, polls)+1))
	query.Del("notice")
	next := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	return &live{URL: next.String(), Seconds: seconds, Over: polls >= maxPolls}
}

// isPoll reports whether only the live part is asked for.
func isPoll(r *http.Request) bool { return r.Header.Get("HX-Target") == liveTarget }

// announce reads the text out when the state is another one than the browser has.
func (page *view) announce(r *http.Request, state, text string) {
	if page.Live == nil {
		return
	}
	if isPoll(r) && r.URL.Query().Get("seen") != state {
		page.Announce = text
	}
	if next, err := url.Parse(page.Live.URL); err == nil {
		query := next.Query()
		query.Set("seen", state)
		next.RawQuery = query.Encode()
		page.Live.URL = next.String()
	}
}
