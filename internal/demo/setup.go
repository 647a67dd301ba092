package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// tenant is one application of the demo.
type tenant struct {
	scenario scenario
	id       string
	// targets are its endpoints, by subscription id.
	targets map[string]*target
}

// target is one endpoint with its subscription.
type target struct {
	endpoint endpoint
	id, path string
	// inOrder: the profile promises the order of acceptance here.
	inOrder bool
	// accepted are the events for it whose order has not been compared, in the order of acceptance.
	accepted []string
}

// setUp creates an application for each profile that the server has and the demo knows.
func (s *show) setUp(ctx context.Context) error {
	var profiles list[profile]
	if err := s.client.get(ctx, "/v1/profiles?limit=500", &profiles); err != nil {
		return err
	}
	known := map[string]profile{}
	for _, p := range profiles.Items {
		known[p.Name] = p
	}
	for _, scene := range scenarios() {
		p, ok := known[scene.profile]
		if !ok {
			continue
		}
		if err := s.addTenant(ctx, scene, p); err != nil {
			return fmt.Errorf("set up the demo of profile %s: %w", scene.profile, err)
		}
		s.timeline.say("%-8s  %s", scene.profile, scene.shortened)
	}
	if len(s.tenants) == 0 {
		return errNothing
	}
	s.timeline.say("")
	return nil
}

func (s *show) addTenant(ctx context.Context, scene scenario, p profile) error {
	var app application
	request := map[string]any{"name": "demo " + scene.profile, "profile": scene.profile, "environment": "demo"}
	if scene.overrides != "" {
		request["overrides"] = json.RawMessage(scene.overrides)
	}
	err := s.client.post(ctx, "/v1/applications", request, &app)
	if err != nil {
		return err
	}
	t := &tenant{scenario: scene, id: app.ID, targets: map[string]*target{}}
	key := ""
	if p.Verification.Kind == "handshake" {
		if key, err = s.handshakeKey(ctx, app, p.Verification.Member); err != nil {
			return err
		}
	}
	for _, e := range scene.endpoints {
		if e.endless && s.options.Once {
			continue
		}
		if err := s.subscribe(ctx, t, e, p, key); err != nil {
			return err
		}
	}
	s.tenants = append(s.tenants, t)
	return nil
}

// handshakeKey asks for the key that an endpoint must show, as the application's admin would.
func (s *show) handshakeKey(ctx context.Context, app application, member string) (string, error) {
	var admin struct {
		Key string `json:"key"`
	}
	err := s.client.post(ctx, "/v1/applications/"+app.ID+"/keys", map[string]string{"role": "admin", "name": "demo"}, &admin)
	if err != nil {
		return "", err
	}
	token := map[string]string{}
	if err := s.client.as(admin.Key).get(ctx, "/api/messages/config/token", &token); err != nil {
		return "", err
	}
	return token[member], nil
}

// subscribe gives the endpoint a place at the receiver and a subscription, verified where the profile asks for it.
func (s *show) subscribe(ctx context.Context, t *tenant, e endpoint, p profile, key string) error {
	path := "/" + t.scenario.profile + "/" + e.name
	url := s.receiver.add(path, e, t.scenario.idMember)
	var settings settings
	request := map[string]any{"url": url, "name": e.name, "event_types": e.types}
	if e.settings != "" {
		if err := errors.Join(json.Unmarshal([]byte(e.settings), &settings), json.Unmarshal([]byte(e.settings), &request)); err != nil {
			return fmt.Errorf("settings of %s: %w", e.name, err)
		}
	}
	var created subscription
	if err := s.client.post(ctx, "/v1/applications/"+t.id+"/subscriptions", request, &created); err != nil {
		return err
	}
	t.targets[created.ID] = &target{endpoint: e, id: created.ID, path: path, inOrder: p.Ordering.Kind == "fifo"}
	s.receiver.expect(path, settings.proof(p, created.Secret))
	if key == "" {
		return nil
	}
	if err := s.receiver.answerHandshake(path, p.Verification.Member, key); err != nil {
		return err
	}
	return s.client.post(ctx, "/v1/subscriptions/"+created.ID+"/verify", struct{}{}, nil)
}

// settings are those of an endpoint's that its receiver must know too.
type settings struct {
	SecurityKey string            `json:"security_key"`
	Headers     map[string]string `json:"headers"`
}

// proof is what a receiver of the profile checks.
func (s settings) proof(p profile, secret string) proof {
	headers := maps.Clone(s.Headers)
	if s.SecurityKey != "" {
		headers = map[string]string{p.Auth.SecurityKeyHeader: s.SecurityKey}
		maps.Copy(headers, s.Headers)
	}
	return proof{scheme: p.Signing.Scheme, header: p.Signing.Header, secret: secret, headers: headers}
}
