package demo

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// publishNext publishes the first of the queue, if there is one.
func (s *show) publishNext(ctx context.Context) error {
	if len(s.queue) == 0 {
		return nil
	}
	if err := s.publish(ctx, s.queue[0]); err != nil {
		return err
	}
	s.queue = s.queue[1:]
	return nil
}

// publish sends one sample and shows it.
func (s *show) publish(ctx context.Context, n number) error {
	if n.sample.test != "" {
		return s.sendTest(ctx, n)
	}
	request, err := n.sample.request()
	if err != nil {
		return err
	}
	var a accepted
	if err := s.client.post(ctx, "/v1/applications/"+n.tenant.id+"/events", request, &a); err != nil {
		return err
	}
	s.totals.events++
	if len(a.Invocations) == 0 {
		s.totals.faults = append(s.totals.faults, n.describe()+": no subscription matched")
	}
	for _, i := range a.Invocations {
		target, ok := n.tenant.targets[i.SubscriptionID]
		if !ok {
			return fmt.Errorf("event %s went to subscription %s, which is not the demo's", a.ID, i.SubscriptionID)
		}
		target.accepted = append(target.accepted, a.ID)
		s.follows(&delivery{
			id: i.ID, eventID: a.ID, tenant: n.tenant, target: target, sample: n.sample, published: a.CreatedAt,
		})
	}
	s.timeline.show(fact{
		at: a.CreatedAt, what: published, profile: n.tenant.scenario.profile, eventType: n.sample.name,
		detail: fmt.Sprintf("202 Accepted, for %s", plural(len(a.Invocations), "subscription")),
	})
	return nil
}

// sendTest asks for the profile's test event. It belongs to no event: its invocation's id stands for one.
func (s *show) sendTest(ctx context.Context, n number) error {
	var to *target
	for _, t := range n.tenant.targets {
		if t.endpoint.name == n.sample.test {
			to = t
		}
	}
	if to == nil {
		return fmt.Errorf("%s: there is no endpoint %s", n.describe(), n.sample.test)
	}
	var sent tested
	if err := s.client.post(ctx, "/v1/subscriptions/"+to.id+"/test", struct{}{}, &sent); err != nil {
		return err
	}
	now := time.Now()
	s.follows(&delivery{
		id: sent.InvocationID, eventID: sent.InvocationID, tenant: n.tenant, target: to, sample: n.sample, published: now,
	})
	s.timeline.show(fact{
		at: now, what: published, profile: n.tenant.scenario.profile, eventType: n.sample.name, detail: "202 Accepted, a test",
	})
	return nil
}

// follows takes up a delivery.
func (s *show) follows(d *delivery) {
	s.open[d.id] = d
	s.totals.invocations++
}

// watch shows what has happened to the open deliveries since the last time.
func (s *show) watch(ctx context.Context) error {
	var facts []fact
	for _, t := range s.tenants {
		if !s.waitsFor(t) {
			continue
		}
		var page list[invocation]
		if err := s.client.get(ctx, "/v1/applications/"+t.id+"/invocations?limit=200", &page); err != nil {
			return err
		}
		for _, i := range page.Items {
			d, ok := s.open[i.ID]
			if !ok {
				continue
			}
			more, err := s.follow(ctx, d, i)
			if err != nil {
				return err
			}
			facts = append(facts, more...)
		}
	}
	slices.SortStableFunc(facts, func(a, b fact) int { return a.at.Compare(b.at) })
	for _, f := range facts {
		s.timeline.show(f)
	}
	s.compareOrders()
	return nil
}

func (s *show) waitsFor(t *tenant) bool {
	for _, d := range s.open {
		if d.tenant == t {
			return true
		}
	}
	return false
}

// follow returns the facts that i adds to what has been shown of d, and counts a settled one.
func (s *show) follow(ctx context.Context, d *delivery, i invocation) ([]fact, error) {
	var facts []fact
	d.last = i
	if i.Status == "queued" && !d.waits {
		d.waits = true
		facts = append(facts, d.fact(time.Now(), waiting, "queued behind an earlier event"))
	}
	if i.Attempts > d.attempts {
		var logs list[attempt]
		if err := s.client.get(ctx, "/v1/invocations/"+i.ID+"/logs?limit=500", &logs); err != nil {
			return nil, err
		}
		for _, a := range logs.Items[min(d.attempts, len(logs.Items)):] {
			facts = append(facts, d.attempted(a, i))
			s.totals.attempts++
			if a.Number > 1 {
				s.totals.retries++
			}
		}
		d.attempts = len(logs.Items)
	}
	if i.settled() {
		delete(s.open, d.id)
		s.settle(d)
		if i.Status != "succeeded" {
			facts = append(facts, d.fact(time.Now(), ended, i.Status+" "+i.Reason))
		}
	}
	return facts, nil
}

func (d *delivery) fact(at time.Time, what what, detail string) fact {
	return fact{
		at: at, what: what, profile: d.tenant.scenario.profile, eventType: d.sample.name,
		subscription: d.target.endpoint.name, detail: detail,
	}
}

// attempted is the fact of one attempt. i tells the next retry of its last one.
func (d *delivery) attempted(a attempt, i invocation) fact {
	if a.Outcome == "succeeded" {
		f := d.fact(a.FinishedAt, delivered, result(a))
		f.attempt, f.after = a.Number, a.FinishedAt.Sub(d.published)
		return f
	}
	f := d.fact(a.FinishedAt, failed, result(a))
	f.attempt = a.Number
	if i.Attempts == a.Number && i.NextAttemptAt != nil {
		f.next = max(i.NextAttemptAt.Sub(a.FinishedAt), 0)
		f.retries = true
	}
	return f
}
