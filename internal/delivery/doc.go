// Package delivery makes one attempt: it renders the envelope around the payload, signs, sends and judges the answer.
// It knows neither the database nor Temporal, and nothing of any provider but what the Spec says.
//
// A payload's bytes are spliced into the envelope and never decoded: numbers, spacing, key order and escapes reach the
// receiver as they were published.
package delivery
