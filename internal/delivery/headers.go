package delivery

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Names of the headers that Posthorn sends by itself. The lower-case ones are the spelling of Standard Webhooks.
const (
	HeaderContentType = "Content-Type"
	HeaderUserAgent   = "User-Agent"
	HeaderID          = "webhook-id"
	HeaderTimestamp   = "webhook-timestamp"
	HeaderSignature   = "webhook-signature"
	// HeaderTraceparent is the W3C's trace context, where the profile passes it on.
	HeaderTraceparent = "traceparent"
	// HeaderTest marks a test that looks like an event: a sample in the normal envelope.
	HeaderTest = "Posthorn-Test"
)

// Mask stands for a credential in the log.
const Mask = "***"

// Headers returns the request's headers for an attempt that starts at the given time, signed over body with every
// secret that is live then, in the spelling to send. The userAgent is `Posthorn/<version>`. It fails when a secret
// that is needed is missing or cannot be read; the error names none.
func Headers(f Facts, secrets models.Secrets, body []byte, at time.Time, userAgent string) ([]models.Header, error) {
	headers := []models.Header{
		{Name: HeaderContentType, Value: "application/json"},
		{Name: HeaderUserAgent, Value: userAgent},
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	if !f.Spec.Signing.OmitWebhookHeaders {
		headers = append(headers,
			models.Header{Name: HeaderID, Value: f.EventID}, models.Header{Name: HeaderTimestamp, Value: timestamp})
	}
	signature, err := sign(f, secrets.LiveSigning(at), timestamp, body)
	if err != nil {
		return nil, err
	}
	headers = append(headers, signature...)
	if name := f.Spec.Auth.SecurityKeyHeader; name != "" {
		if secrets.SecurityKey == "" {
			return nil, errNoKey
		}
		headers = append(headers, models.Header{Name: name, Value: secrets.SecurityKey})
	}
	headers = append(headers, secrets.Headers...)
	if f.Traceparent != "" {
		headers = append(headers, models.Header{Name: HeaderTraceparent, Value: f.Traceparent})
	}
	if f.Test && len(f.Spec.Envelope) > 0 && !f.Spec.TestEvent.Raw {
		headers = append(headers, models.Header{Name: HeaderTest, Value: "true"})
	}
	return headers, nil
}

// MaskHeaders returns the headers as the log keeps them: whatever may be a credential, which is every header that
// Posthorn did not make itself, has the value Mask. Signatures stay: receivers ask about them, and they open nothing.
func MaskHeaders(headers []models.Header, spec *models.Spec) []models.Header {
	own := []string{
		HeaderContentType, HeaderUserAgent, HeaderID, HeaderTimestamp, HeaderSignature, HeaderTest, HeaderTraceparent,
		spec.Signing.Header,
	}
	masked := make([]models.Header, len(headers))
	for i, h := range headers {
		masked[i] = h
		if !slices.ContainsFunc(own, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			masked[i].Value = Mask
		}
	}
	return masked
}
