package egress

import (
	"context"
	"net/http"
	"time"
)

// defaultTimeout is used for a request without one: the standard profile's.
const defaultTimeout = 15 * time.Second

// Client makes every outbound call. It is safe for concurrent use; one per
// process is enough and keeps the pool of connections in one place.
type Client struct {
	policy    *policy
	pooled    http.RoundTripper
	single    http.RoundTripper
	closeIdle func()
	userAgent string
	now       func() time.Time
}

// New validates the configuration and returns a client. Close it when done.
func New(c Config) (*Client, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	p := newPolicy(c)
	pooled := newTransport(c, newDialer(c, p.guard))
	single := pooled.Clone()
	single.DisableKeepAlives = true
	return &Client{
		policy:    p,
		pooled:    pooled,
		single:    single,
		closeIdle: func() { pooled.CloseIdleConnections(); single.CloseIdleConnections() },
		userAgent: c.UserAgent,
		now:       c.Now,
	}, nil
}

// CheckURL judges a subscription's URL when it is written, without a lookup. It
// returns nil, a *URLError (malformed, or http where https is required) or a
// *BlockedError (an address, "localhost" or port that is not allowed).
//
// A name that resolves to a forbidden address passes here and is refused by Do.
func (c *Client) CheckURL(raw string) error {
	_, err := c.policy.parse(raw)
	return err
}

// DenyOwn replaces the endpoints that are never connected to, even inside
// AllowCIDRs and whatever else listens on the same address: this deployment's
// own listeners, its database, its Temporal server. Idle connections are
// dropped: they were judged by the rule of before.
func (c *Client) DenyOwn(endpoints []Endpoint) {
	own := make([]Endpoint, len(endpoints))
	for i, e := range endpoints {
		own[i] = Endpoint{Prefix: e.Prefix.Masked(), Port: e.Port}
	}
	c.policy.guard.own.Store(&own)
	c.closeIdle()
}

// Close drops idle connections. Requests in flight go on.
func (c *Client) Close() { c.closeIdle() }

// Do makes one attempt and always returns within the timeout. It never returns
// an error: what went wrong is in Response.Failure.
//
// The status line and headers decide. Once they have arrived the attempt has
// its status, even if the body then breaks off, is endless or drips until the
// timeout: such a body is cut, and Response.Truncated says so. Without a
// complete head in time the attempt is a failure with CodeTimeout.
func (c *Client) Do(ctx context.Context, r Request) Response {
	start := c.now()
	attempt, cancel := context.WithTimeout(ctx, orDefault(r.Timeout))
	defer cancel()
	out := c.attempt(ctx, attempt, r)
	out.Duration = c.now().Sub(start)
	return out
}

func orDefault(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultTimeout
	}
	return d
}

func (c *Client) attempt(caller, ctx context.Context, r Request) Response {
	req, failure := c.build(ctx, r)
	if failure != nil {
		return Response{Failure: failure}
	}
	res, err := roundTrip(c.transport(req.Method), req) //nolint:bodyclose // readResponse closes it
	if err != nil {
		return Response{Failure: classify(caller, ctx, err)}
	}
	return readResponse(res)
}

// transport: net/http repeats a GET by itself when a pooled connection turns
// out to be dead, so a GET gets a fresh one. A POST is repeated only if not one
// byte of it had been written, which no receiver can see (roundTrip).
func (c *Client) transport(method string) http.RoundTripper {
	if method == http.MethodPost {
		return c.pooled
	}
	return c.single
}
