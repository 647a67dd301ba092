package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn/models"
)

// dialect puts an error as the route's clients expect it: on provider routes 400 where others have 422.
func (r route) dialect(err error) error {
	e, ok := errors.AsType[*models.Error](err)
	if !r.provider || !ok || e.Code != models.CodeValidation {
		return err
	}
	malformed := *e
	malformed.Code = models.CodeMalformed
	return &malformed
}

// reads reports whether the route has the query parameter.
func (r route) reads(parameter string) bool {
	return slices.ContainsFunc(r.query, func(p *huma.Param) bool { return p.Name == parameter })
}

// verb is what the route's path ends with behind a colon; "" = nothing.
func (r route) verb() string { return strings.TrimPrefix(strings.TrimPrefix(r.path, r.served()), ":") }

// splitVerb takes the verb off a message's id: to Gin …/{messageId} and …/{messageId}:redeliver are one path, which
// each method has one route for. It answers 405 where the path is the other method's.
func splitVerb(g *gin.Context, r route) error {
	if r.scope != scopeMessage {
		return nil
	}
	id, verb, _ := strings.Cut(g.Request.PathValue(messageID), ":")
	switch {
	case r.verb() == verb:
		g.Request.SetPathValue(messageID, id)
		return nil
	case r.verb() != "":
		g.Header("Allow", allowed(http.MethodGet))
	case verb == redeliverVerb:
		g.Header("Allow", allowed(http.MethodPost))
	default:
		return nil // an id that is none
	}
	return models.Errorf(codeMethodNotAllowed, "this route does not take %s", r.method)
}

// findOwn loads the application of the key.
func (s *server) findOwn(ctx context.Context, c *call) error {
	if c.principal.ApplicationID == "" {
		return models.Errorf(models.CodeForbidden,
			"this route acts for the application of the key; a key of the deployment has none")
	}
	return s.findApplication(ctx, c, c.principal.ApplicationID)
}

// findMessage loads the invocation that the path names as a message. A test of a subscription is none.
func (s *server) findMessage(ctx context.Context, c *call) error {
	if err := s.findOwn(ctx, c); err != nil {
		return err
	}
	id := strings.ToLower(c.path(messageID))
	if !models.IsID(id) {
		return models.Errorf(models.CodeMalformed, "the messageId is not a UUID")
	}
	v, err := found(ctx, c, id, "message", s.Store.Invocation, func(v *models.InvocationView) *string {
		return &v.ApplicationID
	})
	if models.ErrorCode(err) == models.CodeNotFound || err == nil && v.IsTest() {
		return models.NotFound("message")
	}
	c.invocation = v
	return err
}
