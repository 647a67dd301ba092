package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storeseed"
)

const (
	// deepPages of deepLimit are read before the page that is timed as a deep one.
	deepPages, deepLimit = 100, 500
	// maxAnswer bounds what is read of one answer, in bytes: 500 entries have far less.
	maxAnswer = 16 << 20
)

// operation is something whose time must not grow with what is stored.
type operation struct {
	name string
	do   func(ctx context.Context) error
}

// list is an answer of a list route.
type list struct {
	Items []struct {
		ID string `json:"id"`
	} `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// get reads a list.
func (a *api) get(ctx context.Context, path string) (list, error) {
	var l list
	text, err := a.getText(ctx, path)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}

func (a *api) getText(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+a.key)
	answer, err := a.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %.500s", path, answer.Status, text)
	}
	return text, err
}

// reads are the queries behind the routes of an application; MIDDLE stands for a time amid the history.
func reads() map[string][]string {
	return map[string][]string{
		"events": {
			"", "type=" + storeseed.Type, "type=" + storeseed.TypeRare, "entity_id=entity-7", "before=MIDDLE", "after=MIDDLE",
			"undelivered=true", "include=payload",
		},
		"invocations": {
			"", "subscription_id=SUBSCRIPTION", "event_id=EVENT", "event_type=" + storeseed.Type, "event_type=" + storeseed.TypeRare,
			"entity_id=entity-7", "before=MIDDLE", "after=MIDDLE", "status=succeeded", "status=failed", "status=pending",
			"status=retrying", "status=queued", "status=paused", "status=cancelled", "status=abandoned",
		},
		"subscriptions": {"", "status=failing"},
	}
}

// operations are what clients do, through the API.
func (a *api) operations(ctx context.Context) ([]operation, error) {
	root := "/v1/applications/" + a.application
	newest, err := a.get(ctx, root+"/events?limit=1&before="+url.QueryEscape(time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339)))
	if err != nil || len(newest.Items) == 0 {
		return nil, fmt.Errorf("no history: %w", err)
	}
	fill := func(query string) string {
		middle := url.QueryEscape(time.Now().Add(-14 * 24 * time.Hour).UTC().Format(time.RFC3339))
		return strings.NewReplacer("MIDDLE", middle, "SUBSCRIPTION", a.subscription, "EVENT", newest.Items[0].ID).Replace(query)
	}
	n := 0
	ops := []operation{{"publish", func(ctx context.Context) error {
		n++
		return a.publish(ctx, n, 1024, time.Time{})
	}}}
	routes := reads()
	for _, route := range []string{"events", "invocations", "subscriptions"} {
		for _, query := range routes[route] {
			ops = append(ops, a.reading(route+"?"+query, root+"/"+route+"?"+fill(query)))
		}
	}
	for _, route := range []string{"events", "invocations"} {
		deep, err := a.deep(ctx, root+"/"+route)
		if err != nil {
			return nil, err
		}
		ops = append(ops, a.reading(route+", a deep page", deep))
	}
	return append(ops,
		a.reading("an event", "/v1/events/"+newest.Items[0].ID),
		a.reading("a subscription's stats", "/v1/subscriptions/"+a.subscription+"/stats"),
		a.reading("applications", "/v1/applications"), a.reading("audit", "/v1/audit"), a.reading("metrics", "/metrics")), nil
}

func (a *api) reading(name, path string) operation {
	return operation{name, func(ctx context.Context) error {
		_, err := a.getText(ctx, path)
		return err
	}}
}

// deep walks through a list and returns the path of its last page.
func (a *api) deep(ctx context.Context, path string) (string, error) {
	at := fmt.Sprintf("%s?limit=%d", path, deepLimit)
	for range deepPages {
		page, err := a.get(ctx, at)
		if err != nil {
			return "", err
		}
		if page.NextCursor == nil {
			break
		}
		at = fmt.Sprintf("%s?limit=%d&cursor=%s", path, deepLimit, url.QueryEscape(*page.NextCursor))
	}
	return at, nil
}

// dispatches are what the dispatcher and the chores do, at a time when all that waits is due.
func dispatches(s *store.Store) []operation {
	const batch = 50
	return []operation{
		{"take 50 dispatches", func(ctx context.Context) error {
			rows, err := s.TakeDispatches(ctx, batch)
			if err == nil && len(rows) != batch {
				err = fmt.Errorf("took %d of %d", len(rows), batch)
			}
			return err
		}},
		{"take commands", func(ctx context.Context) error { _, err := s.TakeCommands(ctx, batch); return err }},
		{"take jobs", func(ctx context.Context) error { _, err := s.TakeJobs(ctx, batch); return err }},
		{"reconcile", func(ctx context.Context) error { _, err := s.Reconcile(ctx, 1); return err }},
		{"heal queues", func(ctx context.Context) error { _, err := s.HealQueues(ctx); return err }},
	}
}
