package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	// restEvery is the time between two looks at whether the system is at rest.
	restEvery = 250 * time.Millisecond
	// closeLimit bounds the wait for workflows to close, restLimit the one for the system to be idle after that.
	closeLimit = time.Minute
	restLimit  = 5 * time.Second
)

// rest is what a system has used when it has come to rest.
type rest struct {
	usage
	// running is how many workflows had not closed by closeLimit.
	running int
}

// atRest waits until no workflow runs any more and the system is idle, and returns its usage then: closing workflows
// and writing them to visibility goes on after the last delivery, and belongs to the cost.
func (s *system) atRest(ctx context.Context) (rest, error) {
	running, err := s.waitClosed(ctx)
	if err != nil {
		return rest{}, err
	}
	used, err := waitIdle(ctx, s.usage)
	return rest{usage: used, running: running}, err
}

// waitClosed waits until visibility knows of no running workflow, and returns how many are left.
func (s *system) waitClosed(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	ticker := time.NewTicker(2 * restEvery)
	defer ticker.Stop()
	running := 0
	for {
		now, err := s.runningWorkflows(ctx)
		if ctx.Err() != nil {
			return running, nil
		}
		if err != nil || now == 0 {
			return now, err
		}
		running = now
		select {
		case <-ctx.Done():
			return running, nil
		case <-ticker.C:
		}
	}
}

// runningWorkflows asks the Temporal UI's server, so that the benchmark needs no Temporal client.
func (s *system) runningWorkflows(ctx context.Context) (int, error) {
	const path = "/api/v1/namespaces/default/workflow-count?query="
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		s.uiURL+path+url.QueryEscape(`ExecutionStatus="Running"`), http.NoBody)
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("count running workflows: %s", answer.Status)
	}
	var count struct {
		Count int `json:"count,string"`
	}
	err = json.NewDecoder(answer.Body).Decode(&count)
	return count.Count, err
}

// waitIdle waits until under a tenth of a core is used.
func waitIdle(ctx context.Context, used func() (usage, error)) (usage, error) {
	last, err := used()
	if err != nil {
		return last, err
	}
	ticker := time.NewTicker(restEvery)
	defer ticker.Stop()
	for range int(restLimit / restEvery) {
		select {
		case <-ctx.Done():
			return last, nil
		case <-ticker.C:
		}
		now, err := used()
		if err != nil || now.cpu-last.cpu < restEvery/10 {
			return now, err
		}
		last = now
	}
	return last, nil
}
