package api

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Application is a tenant, as answers show it.
type Application struct {
	ID          string             `json:"id" format:"uuid"`
	Name        string             `json:"name"`
	Profile     string             `json:"profile" example:"standard"`
	Environment models.Environment `json:"environment" enum:"production,demo"`
	ExternalID  string             `json:"external_id" doc:"What envelopes show as the tenant."`
	Overrides   knobs              `json:"overrides" doc:"Knobs changed for this application; null = none."`
	CreatedAt   string             `json:"created_at" format:"date-time"`
	UpdatedAt   string             `json:"updated_at" format:"date-time"`
}

func applicationView(a *models.Application) Application {
	return Application{
		ID: a.ID, Name: a.Name, Profile: a.Profile, Environment: a.Environment, ExternalID: a.ExternalID,
		Overrides: knobs(a.Overrides), CreatedAt: timeText(a.CreatedAt), UpdatedAt: timeText(a.UpdatedAt),
	}
}

type applicationCreation struct {
	Name        string  `json:"name" minLength:"1" maxLength:"200"`
	Profile     string  `json:"profile" doc:"Which provider's way of sending; it cannot be changed later." example:"standard"`
	Environment string  `json:"environment,omitempty" enum:"production,demo" default:"production"`
	ExternalID  *string `json:"external_id,omitempty" minLength:"1" maxLength:"200" doc:"Default: the application's id."`
	Overrides   knobs   `json:"overrides,omitempty"`
}

type applicationChange struct {
	Name       *string         `json:"name,omitempty" minLength:"1" maxLength:"200"`
	ExternalID *string         `json:"external_id,omitempty" minLength:"1" maxLength:"200"`
	Overrides  optional[knobs] `json:"overrides,omitzero" doc:"They replace the old ones as a whole; null takes them away."`
}

func (s *server) createApplication(ctx context.Context, c *call, in *applicationCreation) (Application, error) {
	if !slices.Contains(s.Profiles.Names(), in.Profile) {
		return Application{}, models.Invalid("profile", "there is no profile %q", models.Shorten(in.Profile))
	}
	if _, err := s.checkOverrides(ctx, in.Profile, in.Overrides); err != nil {
		return Application{}, err
	}
	handshake, err := secret.NewHandshakeKey()
	if err != nil {
		return Application{}, err
	}
	now := s.Now().UTC()
	a := models.Application{
		ID: models.NewID(), Name: in.Name, Profile: in.Profile, Environment: models.EnvironmentProduction,
		Overrides: json.RawMessage(in.Overrides), HandshakeKey: handshake, CreatedAt: now, UpdatedAt: now,
	}
	if in.Environment != "" {
		a.Environment = models.Environment(in.Environment)
	}
	a.ExternalID = a.ID
	if in.ExternalID != nil {
		a.ExternalID = *in.ExternalID
	}
	c.concerns(subjectApplication, a.ID)
	c.entry.ApplicationID = &a.ID
	if err := s.Store.CreateApplication(ctx, &a); err != nil {
		return Application{}, err
	}
	return applicationView(&a), nil
}

func (s *server) listApplications(ctx context.Context, c *call, in *Paging) (Page[Application], error) {
	part, err := s.page(c, *in)
	if err != nil {
		return Page[Application]{}, err
	}
	applications, next, err := s.Store.Applications(ctx, part)
	return newPage(s, c, mapped(applications, applicationView), next), err
}

func (s *server) getApplication(_ context.Context, c *call, _ *nothing) (Application, error) {
	return applicationView(c.application), nil
}

func (s *server) changeApplication(ctx context.Context, c *call, in *applicationChange) (Application, error) {
	p, err := s.checkOverrides(ctx, c.application.Profile, in.Overrides.Value)
	if err != nil {
		return Application{}, err
	}
	update := s.Store.UpdateApplication
	if in.Overrides.Set && p.Verification.Kind == profiles.VerificationNone {
		update = s.Store.UpdateWithoutHandshake
	}
	changed, err := update(ctx, c.application.ID, func(a *models.Application) error {
		if in.Name != nil {
			a.Name = *in.Name
		}
		if in.ExternalID != nil {
			a.ExternalID = *in.ExternalID
		}
		if in.Overrides.Set {
			a.Overrides = json.RawMessage(in.Overrides.Value)
		}
		return nil
	})
	if err != nil {
		return Application{}, err
	}
	s.Wake() // what waited for a handshake may go on
	return applicationView(changed), nil
}

func (s *server) deleteApplication(ctx context.Context, c *call) error {
	return s.Store.DeleteApplication(ctx, c.application.ID)
}

// checkOverrides tries them on the profile, and returns what comes of it; nil are none.
func (s *server) checkOverrides(ctx context.Context, profile string, overrides knobs) (*profiles.Profile, error) {
	p, err := s.Profiles.Named(ctx, profile)
	if err != nil {
		return nil, err
	}
	return p.WithOverrides(json.RawMessage(overrides))
}
