package api

import (
	"context"
	"errors"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
	"github.com/posthorn/posthorn/profiles"
)

// Profile is one provider's way of sending webhooks, with every knob.
type Profile struct{ profile *profiles.Profile }

func (p Profile) appendJSON(dst []byte) ([]byte, error) { return appendJSON(dst, p.profile) }

// Schema documents the knobs.
func (Profile) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[profileForm](), true, "Profile")
}

// profileOf finds the profile that an application sends by. That its file is gone, or takes its overrides no more, is
// nothing that a client could have said better.
func (s *server) profileOf(ctx context.Context, a *models.Application) (*profiles.Profile, error) {
	p, err := s.Profiles.Of(ctx, a)
	return p, ours(err)
}

// ours hides the code of an error that is not the client's fault, unless it is an outage.
func ours(err error) error {
	code := models.ErrorCode(err)
	if code == "" || code == models.CodeUnavailable || code == models.CodeInternal {
		return err
	}
	return errors.New(err.Error())
}

func (s *server) listProfiles(ctx context.Context, c *call, in *Paging) (Page[Profile], error) {
	var all []Profile
	for _, name := range s.Profiles.Names() {
		p, err := s.Profiles.Named(ctx, name)
		if err != nil {
			return Page[Profile]{}, err
		}
		all = append(all, Profile{p})
	}
	return slicePage(s, c, all, *in)
}

func (s *server) getProfile(ctx context.Context, c *call, _ *nothing) (Profile, error) {
	p, err := s.Profiles.Named(ctx, c.path("name"))
	return Profile{p}, err
}

type previewRequest struct {
	Retry models.RetryPolicy `json:"retry"`
}

func (s *server) previewRetry(_ context.Context, _ *call, in *previewRequest) (models.Preview, error) {
	if err := in.Retry.Validate(); err != nil {
		var f models.Faults
		f.Merge("retry", err)
		return models.Preview{}, f.Err()
	}
	return in.Retry.Preview(), nil
}

func (s *server) sourceIPs(context.Context, *call, *nothing) (SourceIPs, error) {
	return s.SourceIPs, nil
}
