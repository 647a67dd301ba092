package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

// Key is an API key as lists show it: never the key itself.
type Key struct {
	ID            string      `json:"id" format:"uuid"`
	ApplicationID *string     `json:"application_id" doc:"null = the whole deployment."`
	Role          models.Role `json:"role" enum:"operator,publisher,admin,member"`
	Name          string      `json:"name"`
	Prefix        string      `json:"prefix" doc:"The beginning of the key, to tell it by."`
	CreatedAt     string      `json:"created_at" format:"date-time"`
	ExpiresAt     *string     `json:"expires_at" format:"date-time"`
	LastUsedAt    *string     `json:"last_used_at" format:"date-time" doc:"Exact to a minute."`
}

// NewKey is a key right after its creation, the only time that it is shown.
type NewKey struct {
	Key
	Secret string `json:"key" doc:"The key. It is shown this once."`
}

func keyView(k *models.Key) Key {
	return Key{
		ID: k.ID, ApplicationID: k.ApplicationID, Role: k.Role, Name: k.Name, Prefix: k.Prefix,
		CreatedAt: timeText(k.CreatedAt), ExpiresAt: timeOrNull(k.ExpiresAt), LastUsedAt: timeOrNull(k.LastUsedAt),
	}
}

type deploymentKeyCreation struct {
	Role      string     `json:"role" enum:"operator,publisher"`
	Name      string     `json:"name" minLength:"1" maxLength:"200"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// askedRole is the role that a key is asked for. That of an operator is one too, which no application's key has: mayGive
// refuses it, by 403 to those who may not give it anywhere.
type askedRole string

const notGiven = "must be one of publisher, admin, member"

func (a *askedRole) decodeJSON(text []byte, place string, fault func(place, format string, args ...any)) {
	word, _ := unquote(text)
	switch role := models.Role(word); role {
	case models.RoleOperator, models.RolePublisher, models.RoleAdmin, models.RoleMember:
		*a = askedRole(role)
	default:
		fault(place, notGiven)
	}
}

type keyCreation struct {
	Role      askedRole  `json:"role" enum:"publisher,admin,member" doc:"An admin may create admin and member keys only."`
	Name      string     `json:"name" minLength:"1" maxLength:"200"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func (s *server) createDeploymentKey(ctx context.Context, c *call, in *deploymentKeyCreation) (NewKey, error) {
	return s.createKey(ctx, c, nil, models.Role(in.Role), in.Name, in.ExpiresAt)
}

func (s *server) createApplicationKey(ctx context.Context, c *call, in *keyCreation) (NewKey, error) {
	role := models.Role(in.Role)
	if err := mayGive(c.principal.Role, role); err != nil {
		return NewKey{}, err
	}
	return s.createKey(ctx, c, &c.application.ID, role, in.Name, in.ExpiresAt)
}

// mayGive refuses a role that is not the giver's to give, and the one that keys of an application do not have.
func mayGive(giver, role models.Role) error {
	switch {
	case role == models.RoleAdmin, role == models.RoleMember:
		return nil
	case giver != models.RoleOperator:
		return models.Errorf(models.CodeForbidden, "an admin may create admin and member keys only")
	case role == models.RoleOperator:
		return models.Invalid("role", notGiven)
	default:
		return nil
	}
}

func (s *server) createKey(
	ctx context.Context, c *call, applicationID *string, role models.Role, name string, expires *time.Time,
) (NewKey, error) {
	now := s.Now().UTC()
	if expires != nil && !expires.After(now) {
		return NewKey{}, models.Invalid("expires_at", "is not in the future")
	}
	expires, err := s.withinCreator(ctx, c, expires)
	if err != nil {
		return NewKey{}, err
	}
	made, err := secret.NewAPIKey(string(role))
	if err != nil {
		return NewKey{}, err
	}
	k := models.Key{
		ID: made.ID, ApplicationID: applicationID, Role: role, Name: name, Prefix: made.Prefix, Digest: made.Digest[:],
		CreatedAt: now, ExpiresAt: expires,
	}
	c.concerns(subjectKey, k.ID)
	if err := s.Store.CreateKey(ctx, &k); err != nil {
		return NewKey{}, err
	}
	return NewKey{Key: keyView(&k), Secret: made.Text}, nil
}

// withinCreator ends a key no later than the one that makes it, so that a key with an end cannot make itself one without.
func (s *server) withinCreator(ctx context.Context, c *call, expires *time.Time) (*time.Time, error) {
	if c.principal.KeyID == "" { // the operator key of the configuration has no end
		return expires, nil
	}
	creator, err := s.Store.Key(ctx, c.principal.KeyID)
	switch {
	case err != nil:
		return nil, err
	case creator.ExpiresAt == nil:
		return expires, nil
	case expires == nil:
		return creator.ExpiresAt, nil
	case expires.After(*creator.ExpiresAt):
		return nil, models.Invalid("expires_at", "is later than %s, when the key that asks expires", timeText(*creator.ExpiresAt))
	default:
		return expires, nil
	}
}

func (s *server) listKeys(ctx context.Context, c *call, in *Paging) (Page[Key], error) {
	part, err := s.page(c, *in)
	if err != nil {
		return Page[Key]{}, err
	}
	keys, next, err := s.Store.Keys(ctx, c.application.ID, part)
	return newPage(s, c, mapped(keys, keyView), next), err
}

func (s *server) revokeKey(ctx context.Context, c *call) error {
	return s.Store.RevokeKey(ctx, c.key.ID)
}
