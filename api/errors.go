package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

// codeMethodNotAllowed is the code of a 405.
const codeMethodNotAllowed models.Code = "method_not_allowed"

// Problem is the body of every error answer (RFC 9457).
type Problem struct { //nolint:errname // the word of RFC 9457, and of the OpenAPI document
	Type   string      `json:"type" doc:"Always about:blank; the code tells problems apart." example:"about:blank"`
	Title  string      `json:"title" doc:"The status in words." example:"Unprocessable Entity"`
	Status int         `json:"status" doc:"The HTTP status." example:"422"`
	Detail string      `json:"detail" doc:"What is wrong, in a sentence." example:"the request is not valid"`
	Code   models.Code `json:"code" doc:"A stable word for programs." example:"validation_failed"`
	// Limit is set with subscription_limit_reached only.
	Limit     int            `json:"limit,omitempty" doc:"The number that was reached, with subscription_limit_reached."`
	Errors    []ProblemField `json:"errors" doc:"Each member or parameter at fault; empty when the request as a whole is."`
	RequestID string         `json:"request_id" doc:"The X-Request-Id of the answer; the server's log has it too."`

	headers http.Header
}

// ProblemField names one member or parameter at fault.
type ProblemField struct {
	Location string `json:"location" doc:"Where it is, as the client wrote it." example:"delivery.retry.interval"`
	Message  string `json:"message" doc:"What is wrong with it." example:"must be 10ms to 168h"`
}

// Error makes a Problem an error that Huma writes as it is.
func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus is the HTTP status of the answer.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are further headers of the answer.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is RFC 9457's.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problem turns any error into what the client sees of it. This is the only place that does, and the only one that
// logs what the client does not see: the cause of an internal error, and of an outage.
func (s *server) problem(ctx context.Context, err error) *Problem {
	e, known := errors.AsType[*models.Error](err)
	switch {
	case known && e.Code == models.CodeUnavailable:
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "request refused: unavailable", requestAttr(ctx), errAttr(err))
	case known:
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// the client is gone, or has waited as long as we let it
		e = &models.Error{Code: models.CodeUnavailable, Message: "the request took too long", RetryAfter: time.Second}
	default:
		s.Logger.LogAttrs(ctx, slog.LevelError, "request failed", requestAttr(ctx), errAttr(err))
		e = models.Errorf(models.CodeInternal, "something went wrong here; the log has it under the request_id")
	}
	return newProblem(ctx, e)
}

func newProblem(ctx context.Context, e *models.Error) *Problem {
	status := statusOf(e.Code)
	p := &Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Code: e.Code,
		Limit: e.Limit, Errors: fieldsOf(e), RequestID: requestID(ctx), headers: http.Header{},
	}
	if e.RetryAfter > 0 || status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		seconds := max(1, int(math.Ceil(e.RetryAfter.Seconds())))
		p.headers.Set("Retry-After", strconv.Itoa(seconds))
	}
	if status == http.StatusUnauthorized {
		p.headers.Set("WWW-Authenticate", `Bearer realm="posthorn"`)
	}
	return p
}

func fieldsOf(e *models.Error) []ProblemField {
	fields := make([]ProblemField, 0, len(e.Fields))
	for _, f := range e.Fields {
		fields = append(fields, ProblemField(f))
	}
	return fields
}

func statusOf(code models.Code) int {
	switch code {
	case models.CodeValidation, models.CodeBlockedURL, models.CodeVerificationFailed:
		return http.StatusUnprocessableEntity
	case models.CodeMalformed:
		return http.StatusBadRequest
	case models.CodeNotFound:
		return http.StatusNotFound
	case models.CodeForbidden:
		return http.StatusForbidden
	case models.CodeUnauthenticated:
		return http.StatusUnauthorized
	case models.CodeConflict, models.CodeSubscriptionLimit, models.CodeIdempotencyMismatch:
		return http.StatusConflict
	case models.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case models.CodeRateLimited:
		return http.StatusTooManyRequests
	case models.CodeUnavailable:
		return http.StatusServiceUnavailable
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case models.CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// ownErrors replaces Huma's error body, which only faulty parameters still lead to, by a Problem. As a transformer it
// belongs to one API; huma.NewError would be a global.
func (s *server) ownErrors(ctx huma.Context, _ string, v any) (any, error) {
	theirs, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	e := &models.Error{Code: models.CodeValidation, Message: "the request is not valid"}
	if theirs.Status != http.StatusUnprocessableEntity {
		e = models.Errorf(models.CodeInternal, "something went wrong here; the log has it under the request_id")
	}
	for _, detail := range theirs.Errors {
		_, location, _ := strings.Cut(detail.Location, ".") // without "query."
		e.Fields = append(e.Fields, models.FieldError{Location: location, Message: detail.Message})
	}
	return newProblem(ctx.Context(), e), nil
}

// writeProblem answers outside of Huma.
func (s *server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	s.sendProblem(w, r, s.problem(r.Context(), err))
}

func (s *server) sendProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	maps.Copy(w.Header(), p.headers)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	s.write(r.Context(), w, p)
}

func errAttr(err error) slog.Attr { return slog.String("error", err.Error()) }

func requestAttr(ctx context.Context) slog.Attr { return slog.String("request_id", requestID(ctx)) }
