package api

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Me is what a key is for.
type Me struct {
	Role            models.Role `json:"role" enum:"operator,publisher,admin,member"`
	KeyID           *string     `json:"key_id" format:"uuid" doc:"null for the operator key of the configuration."`
	ApplicationID   *string     `json:"application_id" format:"uuid" doc:"null = the whole deployment."`
	ApplicationName *string     `json:"application_name"`
}

func (s *server) me(ctx context.Context, c *call, _ *nothing) (Me, error) {
	me := Me{
		Role: c.principal.Role, KeyID: textOrNull(c.principal.KeyID), ApplicationID: textOrNull(c.principal.ApplicationID),
	}
	if me.ApplicationID == nil {
		return me, nil
	}
	app, err := s.Store.Application(ctx, *me.ApplicationID)
	if err != nil {
		return Me{}, err
	}
	me.ApplicationName = &app.Name
	return me, nil
}

// getApplicationProfile shows the profile that an application sends by, its overrides applied.
func (s *server) getApplicationProfile(ctx context.Context, c *call, _ *nothing) (Profile, error) {
	p, err := s.profileOf(ctx, c.application)
	return Profile{p}, err
}
