package demo

import (
	"errors"
	"net/http"

	posthorn "github.com/posthorn/posthorn/clients/go"
)

// proof is what an endpoint checks of its requests before it believes who sent them. The zero value checks nothing.
type proof struct {
	// scheme is the profile's signing scheme; "" or "none" = there is no signature.
	scheme string
	// header carries the signature of schemes that name none themselves.
	header string
	// secret is the subscription's, as its creation answered it.
	secret string
	// headers must come with these values: the key that the subscriber gave, or headers of its own.
	headers map[string]string
}

// verdict is whether a request proves to be its sender's.
type verdict int

const (
	unproven verdict = iota // there is nothing to check
	genuine
	forged
)

// verify checks as a customer would, by the client's Verifier. A scheme that it does not know has no good signature.
func (p proof) verify(header http.Header, body string) verdict {
	v := posthorn.Verifier{Scheme: p.scheme, Header: p.header, Headers: p.headers}
	if p.scheme != "" && p.scheme != "none" {
		v.Secrets = []string{p.secret}
	}
	switch err := v.Verify(header, []byte(body)); {
	case err == nil:
		return genuine
	case errors.Is(err, posthorn.ErrNothingToVerify):
		return unproven
	default:
		return forged
	}
}
