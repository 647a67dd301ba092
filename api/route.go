package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/posthorn/posthorn/models"
)

// route is one line of the route table.
type route struct {
	method, path string
	// id is the OpenAPI operationId, tag the group it is shown in.
	id, tag, summary string
	// text says more than the summary where there is more to say.
	text string
	// public routes need no credentials. Otherwise roles may call it; nil = any key.
	public bool
	roles  []models.Role
	// scope says what the path's id names, and so whose the route's subject is.
	scope scope
	// managed routes are lifted to the operator where the profile says so (ALV-26).
	managed bool
	// provider routes have a provider's own form (docs/decisions/0011-messages.md): they take HTTP Basic too, act for
	// the application of the key, and answer 400 to what is invalid. query are the parameters that their handlers read.
	provider bool
	query    []*huma.Param
	// status is the answer's; 0 = 200.
	status int
	// conflicts: 409 is a possible answer.
	conflicts bool
	// unaudited: no entry in the audit log, though it is not a GET. For publishing, and for what changes nothing.
	unaudited bool
	// idempotent: the header Idempotency-Key is honoured.
	idempotent bool
	// traced: the header traceparent is honoured.
	traced bool
	// unready: 503 is a possible answer, with the body of a 200.
	unready  bool
	register registration
}

// registration registers a route's handler.
type registration func(*server, route)

// scope says what a path's id names.
type scope int

// The scopes.
const (
	scopeNone scope = iota
	scopeApplication
	scopeKey
	scopeSubscription
	scopeEvent
	scopeInvocation
	scopeJob
	scopeErasure
	// The key's own application, and a message of it: the scopes of provider routes.
	scopeOwn
	scopeMessage
)

// call is what the authorisation found out about a request. Of the things that the path names, those of the route's
// scope are set; the application is set with scopeApplication, scopeSubscription and the scopes of provider routes.
type call struct {
	route        route
	request      *http.Request
	principal    models.Principal
	key          *models.Key
	application  *models.Application
	subscription *models.Subscription
	event        *models.Event
	invocation   *models.InvocationView
	job          *models.JobView
	erasure      *models.Erasure
	// traceparent is the trace context to store with what is published; "" = none.
	traceparent string
	// entry goes into the audit log with what the handler changes; nil on routes that are not audited.
	entry *models.AuditEntry
	load  load
}

// path is a parameter of the path.
func (c *call) path(name string) string { return c.request.PathValue(name) }

type callKey struct{}

// answer is what Huma wants around a body.
type answer[O any] struct{ Body O }

// read registers a handler of a request without a body; I has its query parameters.
func read[I, O any](fn func(*server, context.Context, *call, *I) (O, error)) registration {
	return func(s *server, r route) {
		op := s.operation(r)
		if _, paged := reflect.TypeFor[I]().FieldByName("Cursor"); paged {
			documentErrors(&op, http.StatusBadRequest)
		}
		huma.Register(s.huma, op, func(ctx context.Context, in *I) (*answer[O], error) {
			return run(ctx, s, func(ctx context.Context, c *call) (O, error) { return fn(s, ctx, c, in) })
		})
	}
}

// write registers a handler of a request with a body.
func write[B, O any](fn func(*server, context.Context, *call, *B) (O, error)) registration {
	return withBody(true, fn)
}

// act registers a handler of a request that may have an empty body.
func act[B, O any](fn func(*server, context.Context, *call, *B) (O, error)) registration {
	return withBody(false, fn)
}

// nothing is the body of an action without members.
type nothing struct{}

func withBody[B, O any](required bool, fn func(*server, context.Context, *call, *B) (O, error)) registration {
	return func(s *server, r route) {
		op := s.operation(r)
		documentErrors(&op, http.StatusBadRequest, http.StatusRequestEntityTooLarge)
		huma.Register(s.huma, op, func(ctx context.Context, _ *struct{}) (*answer[O], error) {
			return run(ctx, s, func(ctx context.Context, c *call) (O, error) {
				body := new(B)
				text, err := s.readBody(ctx, c, required, body)
				if err != nil {
					var none O
					return none, err
				}
				c.noteBody(text, reflect.TypeFor[B]())
				return fn(s, ctx, c, body)
			})
		})
		// Only now: Huma would read and validate a body that it knows of.
		s.documented(r).RequestBody = s.requestBody(required, reflect.TypeFor[B]())
	}
}

// remove registers a handler without a body and without an answer.
func remove(fn func(*server, context.Context, *call) error) registration {
	return func(s *server, r route) {
		r.status = http.StatusNoContent
		huma.Register(s.huma, s.operation(r), func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			_, err := run(ctx, s, func(ctx context.Context, c *call) (nothing, error) { return nothing{}, fn(s, ctx, c) })
			return nil, err
		})
	}
}

// serve registers a plain handler of a public route. content are the media types of its answer, body its schema's
// type; nil = no schema.
func serve(content string, body reflect.Type, fn func(*server, http.ResponseWriter, *http.Request)) registration {
	return func(s *server, r route) {
		op := s.operation(r)
		op.Responses["200"].Content = s.content(content, body)
		if r.unready {
			op.Responses["503"] = &huma.Response{
				Description: http.StatusText(http.StatusServiceUnavailable), Headers: answerHeaders(),
				Content: s.content(content, body),
			}
		}
		s.huma.OpenAPI().AddOperation(&op)
		s.engine.Handle(r.method, ginPath(r.path), func(c *gin.Context) {
			setPathValues(c)
			fn(s, c.Writer, c.Request)
		})
	}
}

// setPathValues makes Gin's parameters the request's own.
func setPathValues(c *gin.Context) {
	for _, p := range c.Params {
		c.Request.SetPathValue(p.Key, p.Value)
	}
}

// run is around every handler: what is the same for all of them, and their errors.
func run[O any](
	ctx context.Context, s *server, handle func(context.Context, *call) (O, error),
) (*answer[O], error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, s.problem(ctx, errors.New("the route has no authorisation"))
	}
	if err := c.checkQuery(); err != nil {
		return nil, s.problem(ctx, c.route.dialect(err))
	}
	out, err := handle(s.audit(ctx, c), c)
	if err != nil {
		p := s.problem(ctx, c.route.dialect(err))
		s.noteDenial(ctx, c, p.Status, p.Code)
		return nil, p
	}
	return &answer[O]{Body: out}, nil
}

func (r route) allows(p models.Principal) bool {
	return r.roles == nil || slices.Contains(r.roles, p.Role)
}

// audited reports whether what the route does goes into the audit log.
func (r route) audited() bool { return r.method != http.MethodGet && !r.unaudited }

// served is the path as Gin serves it: a verb at its end, as in /messages/{messageId}:redeliver, is a part of the last
// segment there, which splitVerb takes off.
func (r route) served() string {
	path, _, _ := strings.Cut(r.path, "}:")
	if path != r.path {
		path += "}"
	}
	return path
}

// ginPath writes /v1/events/{id} as Gin does: /v1/events/:id.
func ginPath(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// routePattern is the inverse.
func routePattern(ginPath string) string {
	segments := strings.Split(ginPath, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, ":"); ok {
			segments[i] = "{" + name + "}"
		}
	}
	return strings.Join(segments, "/")
}

// allowed completes Gin's list of methods.
func allowed(methods string) string {
	if strings.Contains(methods, http.MethodGet) {
		methods += ", HEAD"
	}
	return methods + ", OPTIONS"
}
