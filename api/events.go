package api

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Event is a fact that a publisher handed over, as answers show it.
type Event struct {
	ID             string          `json:"id" format:"uuid"`
	ApplicationID  string          `json:"application_id" format:"uuid"`
	Type           string          `json:"type" doc:"The event type's name."`
	EventType      string          `json:"event_type" doc:"The same, under the name that invocations use."`
	EntityID       *string         `json:"entity_id"`
	Sequence       int64           `json:"sequence"`
	OccurredAt     *string         `json:"occurred_at" doc:"The publisher's text."`
	IdempotencyKey *string         `json:"idempotency_key"`
	NotBefore      *string         `json:"not_before" format:"date-time"`
	CancelledAt    *string         `json:"cancelled_at" format:"date-time"`
	CreatedAt      string          `json:"created_at" format:"date-time"`
	Payload        Verbatim        `json:"payload,omitempty" doc:"As published, byte for byte; in lists with include=payload only. null where the event has one for each version."`
	Versions       versionPayloads `json:"versions,omitempty" doc:"The payloads by version, of an event that was published with them; in no list."`
}

// versionPayloads are payloads by version, byte for byte.
type versionPayloads []VersionPayload

func (list versionPayloads) text() ([]byte, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return appendList(nil, list)
}

func (v VersionPayload) appendJSON(dst []byte) ([]byte, error) {
	dst, err := appendJSON(dst, struct {
		Version string `json:"version"`
	}{v.Version})
	if err != nil {
		return nil, err
	}
	return splice(dst, "payload", v.Payload), nil
}

func (e Event) appendJSON(dst []byte) ([]byte, error) {
	type plain Event
	payload := e.Payload
	versions, err := e.Versions.text()
	if err != nil {
		return nil, err
	}
	e.Payload, e.Versions = nil, nil
	dst, err = appendJSON(dst, plain(e))
	if err != nil {
		return nil, err
	}
	return splice(splice(dst, "payload", payload), "versions", versions), nil
}

// EventDetail is an event with the invocations that it led to.
type EventDetail struct {
	Event
	Invocations []Invocation `json:"invocations"`
}

func (e EventDetail) appendJSON(dst []byte) ([]byte, error) {
	invocations, err := appendList(nil, e.Invocations)
	if err != nil {
		return nil, err
	}
	dst, err = e.Event.appendJSON(dst)
	if err != nil {
		return nil, err
	}
	return splice(dst, "invocations", invocations), nil
}

// EventRef names the event that an action is about.
type EventRef struct {
	EventID string `json:"event_id" format:"uuid"`
}

func eventView(e *models.Event) Event {
	view := Event{
		ID: e.ID, ApplicationID: e.ApplicationID, Type: e.Type, EventType: e.Type, EntityID: e.EntityID,
		Sequence: e.Sequence(), OccurredAt: textOrNull(e.OccurredAt), IdempotencyKey: e.IdempotencyKey,
		NotBefore: timeOrNull(e.NotBefore), CancelledAt: timeOrNull(e.CancelledAt), CreatedAt: timeText(e.CreatedAt),
		Payload: verbatim(e.Payload),
	}
	for _, v := range e.Versions {
		view.Versions = append(view.Versions, VersionPayload{Version: v.Version, Payload: v.Payload})
	}
	return view
}

// verbatim shows a payload that was read: empty, it is one that the event has by version only; nil was not read.
func verbatim(payload []byte) Verbatim {
	if payload != nil && len(payload) == 0 {
		return Verbatim("null")
	}
	return payload
}

// maxWithPayload bounds a list that carries payloads, of 1 MiB each at most.
const maxWithPayload = 50

// checkInclude looks at the pair of limit and include.
func checkInclude(p Paging, include string) (withPayload bool, err error) {
	if include != "" && p.Limit > maxWithPayload {
		return false, models.Invalid("limit", "must be at most %d with include=payload", maxWithPayload)
	}
	return include != "", nil
}

type eventsQuery struct {
	Paging
	Type     string `query:"type" maxLength:"128" doc:"A name or wire value."`
	EntityID string `query:"entity_id" maxLength:"128"`
	Window
	Undelivered bool   `query:"undelivered" doc:"Only events that some subscription has not got, or none was there for."`
	Include     string `query:"include" enum:"payload" doc:"payload: with the payloads; limit is then 50 at most."`
}

func (s *server) listEvents(ctx context.Context, c *call, in *eventsQuery) (Page[Event], error) {
	withPayload, err := checkInclude(in.Paging, in.Include)
	if err != nil {
		return Page[Event]{}, err
	}
	f := models.EventFilter{
		ApplicationID: c.application.ID, EntityID: in.EntityID, After: in.After, Before: in.Before,
		Undelivered: in.Undelivered, WithPayload: withPayload,
	}
	if f.Type, err = s.resolveType(ctx, c, "type", in.Type); err != nil {
		return Page[Event]{}, err
	}
	part, err := s.page(c, in.Paging)
	if err != nil {
		return Page[Event]{}, err
	}
	if withPayload {
		if err := s.hold(ctx, c, part.Limit*models.MaxPayloadBytes); err != nil {
			return Page[Event]{}, err
		}
	}
	events, next, err := s.Store.Events(ctx, f, part)
	if err != nil {
		return Page[Event]{}, err
	}
	views := mapped(events, eventView)
	return newPage(s, c, views, next), s.hold(ctx, c, sizeOf(views, func(e *Event) int { return len(e.Payload) }))
}

// resolveType turns a query parameter into an event type's name; "" stays.
func (s *server) resolveType(ctx context.Context, c *call, parameter, given string) (string, error) {
	if given == "" {
		return "", nil
	}
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return "", err
	}
	t, ok := p.ResolveType(given)
	if !ok {
		return "", models.Invalid(parameter, "%q is not an event type of profile %s", models.Shorten(given), p.Name)
	}
	return t.Name, nil
}

func (s *server) getEvent(ctx context.Context, c *call, _ *nothing) (EventDetail, error) {
	payloads := len(c.event.Payload) + sizeOf(c.event.Versions, func(v *models.EventVersion) int { return len(v.Payload) })
	if err := s.hold(ctx, c, payloads); err != nil {
		return EventDetail{}, err
	}
	invocations, err := s.Store.EventInvocations(ctx, c.event.ID)
	return EventDetail{Event: eventView(c.event), Invocations: mapped(invocations, s.invocationView)}, err
}

func (s *server) cancelEvent(ctx context.Context, c *call, _ *nothing) (EventRef, error) {
	if err := s.Store.CancelEvent(ctx, c.event.ID); err != nil {
		return EventRef{}, err
	}
	s.Wake()
	return EventRef{EventID: c.event.ID}, nil
}
