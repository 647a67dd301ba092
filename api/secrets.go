package api

import (
	"slices"

	"github.com/posthorn/posthorn/internal/secret"
	"github.com/posthorn/posthorn/models"
)

// liveSecrets is how many secrets of a subscription sign at the same time: a second rotation ends the first. It is what
// Bridge promises its customers: docs.bridgeapi.io/docs/secure-your-webhooks.
const liveSecrets = 2

// signingSecret is a new secret with the public half of its key pair.
type signingSecret struct {
	secret models.SigningSecret
	public string
}

// shown is what the subscriber gets to see, this once; nil = nothing.
func (s *signingSecret) shown() *string {
	if s == nil {
		return nil
	}
	return textOrNull(s.secret.Symmetric)
}

// newSigningSecret makes what the scheme signs with; nil where it signs nothing.
func newSigningSecret(signing models.Signing) (*signingSecret, error) {
	made := &signingSecret{}
	var err error
	switch signing.Scheme {
	case models.SigningNone:
		return nil, nil //nolint:nilnil // nothing to sign with is no fault
	case models.SigningHMACHex:
		made.secret.Symmetric, err = secret.NewTextSecret()
	case models.SigningStandard:
		if slices.Contains(signing.Versions, "v1") {
			made.secret.Symmetric, err = secret.NewWebhookSecret()
		}
		if err == nil && slices.Contains(signing.Versions, "v1a") {
			made.secret.Private, made.public, err = secret.NewEd25519()
		}
	}
	return made, err
}
