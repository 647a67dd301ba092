package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// EventType is one entry of a profile's catalogue.
type EventType struct {
	Name        string   `json:"name" example:"transaction.created"`
	Wire        Verbatim `json:"wire" doc:"How it is written on the wire: a string or an integer." example:"1796"`
	Group       string   `json:"group"`
	Description string   `json:"description"`
	Deprecated  bool     `json:"deprecated"`
	Versions    []string `json:"versions"`
	Schema      Verbatim `json:"schema,omitempty" doc:"JSON Schema 2020-12 of its payload; absent = any payload."`
}

func eventTypeView(t *models.EventType) EventType {
	e := profiles.EntryOf(*t)
	view := EventType{
		Name: e.Name, Wire: Verbatim(e.Wire), Group: e.Group, Description: e.Description, Deprecated: e.Deprecated,
		Versions: orEmpty(e.Versions),
	}
	if len(e.Schema) > 0 {
		view.Schema = Verbatim(e.Schema)
	}
	return view
}

type profileQuery struct {
	Paging
	Profile string `query:"profile" required:"true" doc:"The profile's name." example:"alviere"`
}

// eventTypeBody is an event type as an operator writes it; profiles.ParseEventType reads it.
type eventTypeBody struct{ text []byte }

func (b *eventTypeBody) decodeJSON(text []byte, _ string, _ func(place, format string, args ...any)) {
	b.text = text
}

// Schema documents what ParseEventType takes.
func (*eventTypeBody) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[eventTypeForm](), true, "")
}

// eventTypeChange is the same where nothing is required.
type eventTypeChange struct{ eventTypeBody }

// Schema documents what PatchEventType takes.
func (*eventTypeChange) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[eventTypeChangeForm](), true, "")
}

// eventTypeForm documents eventTypeBody.
type eventTypeForm struct {
	Name        string   `json:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"`
	Wire        typeName `json:"wire,omitempty" doc:"How it is written on the wire. Default: the name."`
	Group       string   `json:"group,omitempty" maxLength:"100"`
	Description string   `json:"description,omitempty" maxLength:"2000"`
	Deprecated  bool     `json:"deprecated,omitempty"`
	Versions    []string `json:"versions,omitempty"`
	Schema      raw      `json:"schema,omitempty" doc:"JSON Schema 2020-12, an object; null = any payload."`
}

// eventTypeChangeForm documents eventTypeChange.
type eventTypeChangeForm struct {
	Group       string   `json:"group,omitempty" maxLength:"100"`
	Description string   `json:"description,omitempty" maxLength:"2000"`
	Deprecated  bool     `json:"deprecated,omitempty"`
	Versions    []string `json:"versions,omitempty" doc:"More of them: they are added to those that there are."`
	Schema      raw      `json:"schema,omitempty" doc:"JSON Schema 2020-12, an object; null = any payload."`
}

func (s *server) listEventTypes(ctx context.Context, c *call, in *profileQuery) (Page[EventType], error) {
	p, err := s.Profiles.Named(ctx, in.Profile)
	if models.ErrorCode(err) == models.CodeNotFound {
		return Page[EventType]{}, models.Invalid("profile", "there is no profile %q", models.Shorten(in.Profile))
	}
	if err != nil {
		return Page[EventType]{}, err
	}
	return slicePage(s, c, mapped(p.Catalogue, eventTypeView), in.Paging)
}

func (s *server) createEventType(ctx context.Context, c *call, in *eventTypeBody) (EventType, error) {
	p, err := s.Profiles.Named(ctx, c.path("name"))
	if err != nil {
		return EventType{}, err
	}
	t, err := p.ParseEventType(in.text)
	if err != nil {
		return EventType{}, err
	}
	if known, ok := catalogued(p, t.Name); ok {
		return EventType{}, models.Errorf(models.CodeConflict, "profile %s has the event type %s already", p.Name, known.Name)
	}
	return s.putEventType(ctx, c, p, t)
}

func (s *server) changeEventType(ctx context.Context, c *call, in *eventTypeChange) (EventType, error) {
	s.Profiles.Forget(c.path("name")) // what another process added a moment ago is not to be lost
	p, err := s.Profiles.Named(ctx, c.path("name"))
	if err != nil {
		return EventType{}, err
	}
	known, ok := catalogued(p, c.path("type"))
	if !ok {
		return EventType{}, models.NotFound("event type")
	}
	t, err := p.PatchEventType(known, in.text)
	if err != nil {
		return EventType{}, err
	}
	return s.putEventType(ctx, c, p, t)
}

func (s *server) putEventType(
	ctx context.Context, c *call, p *profiles.Profile, t models.EventType,
) (EventType, error) {
	if _, err := p.WithEventTypes([]models.EventType{t}); err != nil {
		return EventType{}, relocated(err, len(p.Catalogue))
	}
	c.concerns(subjectEventType, p.Name+"/"+t.Name)
	if err := s.Store.PutEventType(ctx, p.Name, t); err != nil {
		return EventType{}, err
	}
	s.Profiles.Forget(p.Name)
	return eventTypeView(&t), nil
}

// catalogued finds an event type that the catalogue lists; an open one knows names that it does not list.
func catalogued(p *profiles.Profile, given string) (models.EventType, bool) {
	t, ok := p.ResolveType(given)
	if !ok {
		return t, false
	}
	for _, listed := range p.Catalogue {
		if listed.Name == t.Name {
			return listed, true
		}
	}
	return t, false
}

// relocated places a fault of the whole catalogue's last entry, `catalogue[11].wire`, in the request: `wire`.
func relocated(err error, last int) error {
	e, ok := errors.AsType[*models.Error](err)
	if !ok {
		return err
	}
	moved := *e
	moved.Fields = nil
	for _, f := range e.Fields {
		f.Location = strings.TrimPrefix(f.Location, fmt.Sprintf("catalogue[%d].", last))
		moved.Fields = append(moved.Fields, f)
	}
	return &moved
}
