package api

import (
	"context"
	"net/http"

	"github.com/posthorn/posthorn/models"
)

// authenticateProvider takes HTTP Basic (RFC 7617) beside Bearer: an application's id as user, one of its keys as
// password. A key of the deployment belongs to no user; that it may not, the route's scope says.
func (s *server) authenticateProvider(ctx context.Context, header http.Header) (models.Principal, error) {
	user, password, ok := basic(header)
	if !ok {
		return s.authenticate(ctx, header)
	}
	principal, err := s.principalOf(ctx, password)
	if err != nil {
		return models.Principal{}, err
	}
	if !principal.Sees(user) {
		return models.Principal{}, unauthenticated()
	}
	return principal, nil
}

// basic is what an Authorization header holds, of which there must be exactly one.
func basic(header http.Header) (user, password string, ok bool) {
	if len(header.Values("Authorization")) != 1 {
		return "", "", false
	}
	return (&http.Request{Header: header}).BasicAuth()
}

// offerBasic makes a 401 name the second way in as well.
func (p *Problem) offerBasic() {
	p.Detail += ", or HTTP Basic with the application's id as user and one of its keys as password"
	p.headers.Add("WWW-Authenticate", `Basic realm="posthorn", charset="UTF-8"`)
}
