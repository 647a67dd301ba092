package delivery

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/models"
)

// Client makes one request and never fails; *egress.Client is one.
type Client interface {
	Do(ctx context.Context, r egress.Request) egress.Response
}

// Sender makes attempts. Its fields are set once, before use.
type Sender struct {
	Client Client
	// UserAgent is `Posthorn/<version>`.
	UserAgent string
	// Now is the clock.
	Now func() time.Time
}

// NewSender returns a Sender on the system's clock. The version is Posthorn's own, without a leading v.
func NewSender(client Client, version string) *Sender {
	return &Sender{Client: client, UserAgent: "Posthorn/" + version, Now: time.Now}
}

// Send makes the attempt that the claim is for and judges the answer. It ends within the Spec's timeout. What goes
// wrong is in the result: it is an outcome, not an error.
func (s *Sender) Send(ctx context.Context, claim *models.Claim) models.Result {
	started := s.Now().UTC()
	facts := FactsOf(claim)
	body, headers, err := s.render(facts, claim.Secrets, started)
	if err != nil {
		return s.unsent(started, err)
	}
	response := s.Client.Do(ctx, egress.Request{
		Method: http.MethodPost, URL: claim.URL, Headers: toEgress(headers), Body: body,
		Timeout: claim.Spec.Timeout.Std(),
	})
	result := s.judge(claim.Spec, response, s.Now().UTC())
	result.StartedAt = started
	result.RequestHeaders = MaskHeaders(headers, claim.Spec)
	return result
}

func (s *Sender) render(f Facts, secrets models.Secrets, at time.Time) ([]byte, []models.Header, error) {
	body, err := Body(f)
	if err != nil {
		return nil, nil, err
	}
	headers, err := Headers(f, secrets, body, at, s.UserAgent)
	return body, headers, err
}

// unsent is the result of a request that could not be made: our fault, and seen to be, so it is logged like any
// other failure instead of being tried for ever without a trace.
func (s *Sender) unsent(started time.Time, err error) models.Result {
	return models.Result{
		StartedAt: started, FinishedAt: s.Now().UTC(), Outcome: models.AttemptFailed,
		RequestHeaders: []models.Header{}, ResponseHeaders: []models.Header{},
		Error: &models.AttemptError{Code: models.AttemptInterrupted, Message: "nothing was sent: " + err.Error()},
	}
}

func (s *Sender) judge(spec *models.Spec, r egress.Response, finished time.Time) models.Result {
	result := models.Result{
		FinishedAt: finished, Outcome: models.AttemptFailed, StatusCode: r.StatusCode,
		ResponseHeaders: fromEgress(r.Headers), ResponseBody: r.Body, Truncated: r.Truncated,
	}
	switch {
	case r.Failure != nil:
		result.Error = &models.AttemptError{Code: codeOf(r.Failure.Code), Message: r.Failure.Message}
	case spec.Success.Matches(r.StatusCode):
		result.Outcome = models.AttemptSucceeded
		return result
	default:
		result.Error = &models.AttemptError{
			Code: models.AttemptStatus, Message: fmt.Sprintf("the receiver answered %d", r.StatusCode),
		}
	}
	result.RetryAfter = retryAfter(r.Headers["Retry-After"], finished, spec.RetryAfter.Std())
	result.Gone = r.StatusCode == http.StatusGone && spec.On410 == models.On410Gone
	return result
}

func codeOf(code egress.Code) models.AttemptErrorCode {
	switch code {
	case egress.CodeTimeout:
		return models.AttemptTimeout
	case egress.CodeDNS:
		return models.AttemptDNS
	case egress.CodeConnect:
		return models.AttemptConnect
	case egress.CodeTLS:
		return models.AttemptTLS
	case egress.CodeBlockedURL:
		return models.AttemptBlockedURL
	case egress.CodeInterrupted:
		return models.AttemptInterrupted
	case egress.CodeResponse:
		return models.AttemptResponse
	}
	return models.AttemptResponse
}

func toEgress(headers []models.Header) []egress.Header {
	out := make([]egress.Header, len(headers))
	for i, h := range headers {
		out[i] = egress.Header{Name: h.Name, Value: h.Value}
	}
	return out
}

// fromEgress sorts by name: the order in which a receiver sent them is not known.
func fromEgress(headers http.Header) []models.Header {
	out := make([]models.Header, 0, len(headers))
	for name, values := range headers {
		for _, value := range values {
			out = append(out, models.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(out, func(a, b models.Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}
