package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

// guard authorises a request before anything of it is parsed: who is it (401), do they ask too often (429), is there
// what the path names, for them (404), may they (403). The handler gets what was found.
func (s *server) guard(r route) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		g := humagin.Unwrap(ctx)
		setPathValues(g)
		c := &call{route: r, request: g.Request}
		err := splitVerb(g, r)
		if err == nil {
			err = s.authorise(ctx.Context(), r, c)
		}
		if err != nil {
			s.refuse(g, c, err)
			return
		}
		// Every answer is JSON. Huma would choose by this header once the work is done, and panics where it is malformed.
		g.Request.Header.Del("Accept")
		defer s.letGo(c)
		next(huma.WithValue(ctx, callKey{}, c))
	}
}

// refuse answers a request that never reaches its handler.
func (s *server) refuse(g *gin.Context, c *call, err error) {
	p := s.problem(g.Request.Context(), err)
	s.noteDenial(g.Request.Context(), c, p.Status, p.Code)
	if c.route.provider && p.Status == http.StatusUnauthorized {
		p.offerBasic()
	}
	s.sendProblem(g.Writer, g.Request, p)
}

func (s *server) authorise(ctx context.Context, r route, c *call) error {
	authenticate := s.authenticate
	if r.provider {
		authenticate = s.authenticateProvider
	}
	principal, err := authenticate(ctx, c.request.Header)
	if err != nil {
		return err
	}
	c.principal = principal
	if err := s.takeOfKey(principal); err != nil {
		return err
	}
	absent := s.find(ctx, r.scope, c)
	if err := s.takeOfApplication(c); err != nil {
		return err
	}
	if absent != nil {
		return absent
	}
	if !r.allows(principal) {
		return models.Errorf(models.CodeForbidden, "a key with role %s may not do this", principal.Role)
	}
	if !r.managed || principal.Role == models.RoleOperator {
		return nil
	}
	profile, err := s.profileOf(ctx, c.application)
	if err != nil {
		return err
	}
	if profile.ManagedBy == models.RoleOperator {
		return models.Errorf(models.CodeForbidden, "with profile %s the operator manages subscriptions", profile.Name)
	}
	return nil
}

// find loads what the path names. What belongs to another tenant is as absent as what does not exist.
func (s *server) find(ctx context.Context, scope scope, c *call) (err error) {
	id := c.path("id")
	switch scope {
	case scopeApplication:
		return s.findApplication(ctx, c, c.path("app"))
	case scopeKey:
		id = c.path("key_id")
		c.key, err = found(ctx, c, id, "key", s.Store.Key, func(k *models.Key) *string { return k.ApplicationID })
	case scopeSubscription:
		c.subscription, err = found(ctx, c, id, "subscription", s.Store.Subscription,
			func(sub *models.Subscription) *string { return &sub.ApplicationID })
		if err == nil {
			err = s.findApplication(ctx, c, c.subscription.ApplicationID)
		}
	case scopeEvent:
		c.event, err = found(ctx, c, id, "event", s.Store.Event, func(e *models.Event) *string { return &e.ApplicationID })
	case scopeInvocation:
		c.invocation, err = found(ctx, c, id, "invocation", s.Store.Invocation,
			func(v *models.InvocationView) *string { return &v.ApplicationID })
	case scopeJob:
		c.job, err = found(ctx, c, id, "job", s.Store.Job, func(v *models.JobView) *string { return &v.ApplicationID })
	case scopeErasure:
		c.erasure, err = found(ctx, c, id, "erasure", s.Store.Erasure,
			func(e *models.Erasure) *string { return &e.ApplicationID })
	case scopeOwn:
		return s.findOwn(ctx, c)
	case scopeMessage:
		return s.findMessage(ctx, c)
	case scopeNone:
	}
	return err
}

func (s *server) findApplication(ctx context.Context, c *call, id string) (err error) {
	c.application, err = found(ctx, c, id, "application", s.Store.Application,
		func(a *models.Application) *string { return &a.ID })
	return err
}

// found loads one thing. Its owner is nil where it belongs to the deployment.
func found[T any](
	ctx context.Context, c *call, id, what string,
	load func(context.Context, string) (*T, error), owner func(*T) *string,
) (*T, error) {
	if !models.IsID(id) {
		return nil, models.NotFound(what)
	}
	thing, err := load(ctx, id)
	if err != nil {
		return nil, err
	}
	application := owner(thing)
	if c.principal.ApplicationID != "" && (application == nil || !c.principal.Sees(*application)) {
		return nil, models.NotFound(what)
	}
	return thing, nil
}

// authenticate finds out who makes the request. All that is wrong with credentials has one answer, so that nobody
// learns which key ids there are.
func (s *server) authenticate(ctx context.Context, header http.Header) (models.Principal, error) {
	text, ok := bearer(header)
	if !ok {
		return models.Principal{}, unauthenticated()
	}
	return s.principalOf(ctx, text)
}

// principalOf finds out whose key the text is.
func (s *server) principalOf(ctx context.Context, text string) (models.Principal, error) {
	if secret.SameDigest(secret.OperatorDigest(text), s.OperatorDigest) {
		return models.Principal{Role: models.RoleOperator}, nil
	}
	return s.authenticateKey(ctx, text)
}

func (s *server) authenticateKey(ctx context.Context, text string) (models.Principal, error) {
	id, digest, err := secret.ParseAPIKey(text)
	if err != nil {
		return models.Principal{}, unauthenticated()
	}
	key, err := s.Store.Key(ctx, id)
	if models.ErrorCode(err) == models.CodeNotFound {
		key, err = &models.Key{Digest: make([]byte, len(digest)), RevokedAt: &time.Time{}}, nil // fails below
	}
	if err != nil {
		return models.Principal{}, err
	}
	match := secret.SameDigest(digest, key.Digest)
	if !match || !key.Valid(s.Now()) {
		return models.Principal{}, unauthenticated()
	}
	s.noteUse(ctx, key)
	principal := models.Principal{KeyID: key.ID, Role: key.Role}
	if key.ApplicationID != nil {
		principal.ApplicationID = *key.ApplicationID
	}
	return principal, nil
}

func unauthenticated() error {
	return models.Errorf(models.CodeUnauthenticated, "this needs a valid API key: Authorization: Bearer <key>")
}

// bearer is the token of an Authorization header (RFC 6750 2.1), of which there must be exactly one.
func bearer(header http.Header) (string, bool) {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

const (
	// useInterval is how exact last_used_at is.
	useInterval = time.Minute
	// maxUses is how many of them are written at a time; what does not fit is noted by the key's next use.
	maxUses = 4
	// useTimeout bounds one of them.
	useTimeout = 5 * time.Second
)

// noteUse writes a key's last use down, once a minute and beside the request.
func (s *server) noteUse(ctx context.Context, key *models.Key) {
	now := s.Now()
	if key.LastUsedAt != nil && now.Sub(*key.LastUsedAt) < useInterval {
		return
	}
	select {
	case s.uses <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-s.uses }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), useTimeout)
		defer cancel()
		if err := s.Store.TouchKey(ctx, key.ID, now); err != nil {
			s.Logger.DebugContext(ctx, "last use of a key not noted", "key_id", key.ID, "error", err)
		}
	}()
}
