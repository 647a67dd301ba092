package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/posthorn/posthorn/models"
)

// Bounds of what a publisher may say about an event.
const (
	maxIdempotencyKey = 256
	// maxDelay is how far ahead not_before may lie: as long as the longest retry delay's hundredfold, about two years.
	maxDelay = 100 * models.MaxRetryDelay
)

// event checks a publication against the profile and makes the row of it.
func (p *plan) event(pub *Publication) (*models.Event, error) {
	if err := checkPayloads(pub); err != nil {
		return nil, err
	}
	var f models.Faults
	eventType, ok := p.profile.ResolveType(pub.Type)
	if !ok {
		f.Add("type", "%q is not an event type of profile %s", pub.Type, p.profile.Name)
	}
	e := &models.Event{
		ID: models.NewID(), ApplicationID: p.app.ID, Tenant: p.app.ExternalID, Type: eventType.Name, Wire: eventType.Wire, Payload: pub.Payload,
		OccurredAt: pub.OccurredAt, PublisherSequence: pub.Sequence, Digest: digest(eventType.Name, pub), CreatedAt: p.now,
	}
	if len(pub.Versions) > 0 {
		e.Payload, e.Versions = []byte{}, versionsOf(e.ID, pub)
		f.Merge("", p.checkVersions(eventType, pub))
	}
	if pub.Traceparent != "" {
		e.Traceparent = &pub.Traceparent
	}
	f.Merge("", p.entity(e, pub))
	f.Merge("", checkTimes(e, pub, p.now))
	f.Merge("", checkKey(e, pub))
	if ok {
		for place, payload := range payloads(pub) {
			f.Merge(place, p.profile.CheckPayload(eventType.Name, payload))
		}
	}
	return e, f.Err()
}

func (p *plan) entity(e *models.Event, pub *Publication) error {
	given := ""
	if pub.EntityID != nil {
		given = *pub.EntityID
	}
	var f models.Faults
	first := true
	for place, payload := range payloads(pub) {
		id, err := p.profile.EntityID(given, payload)
		switch {
		case err != nil:
			f.Merge(place, err)
			return f.Err()
		case first && id != "":
			e.EntityID = &id
		case !first && id != entityOf(e):
			f.Add(place+".payload", "is about another entity than the first version's")
		}
		first = false
	}
	return f.Err()
}

// entityOf is the event's entity, "" for none.
func entityOf(e *models.Event) string {
	if e.EntityID == nil {
		return ""
	}
	return *e.EntityID
}

func checkTimes(e *models.Event, pub *Publication, now time.Time) error {
	var f models.Faults
	if pub.OccurredAt != "" {
		if _, err := models.ParseTime(pub.OccurredAt); err != nil {
			f.Add("occurred_at", "is not an RFC 3339 time")
		}
	}
	if pub.NotBefore == "" {
		return f.Err()
	}
	at, err := models.ParseTime(pub.NotBefore)
	switch {
	case err != nil:
		f.Add("not_before", "is not an RFC 3339 time")
	case at.Sub(now) > maxDelay:
		f.Add("not_before", "is more than %s ahead", maxDelay)
	default:
		at = at.UTC()
		e.NotBefore = &at
	}
	return f.Err()
}

func checkKey(e *models.Event, pub *Publication) error {
	if pub.IdempotencyKey == "" {
		return nil
	}
	if len(pub.IdempotencyKey) > maxIdempotencyKey || !utf8.ValidString(pub.IdempotencyKey) {
		return models.Invalid("idempotency_key", "must be UTF-8 of at most %d bytes", maxIdempotencyKey)
	}
	for _, r := range pub.IdempotencyKey {
		if r < ' ' || r == 0x7f {
			return models.Invalid("idempotency_key", "must not contain control characters")
		}
	}
	e.IdempotencyKey = &pub.IdempotencyKey
	return nil
}

// digest tells a repeat of an idempotency key from another event under the same key. Each part is written behind its
// length, so that no two publications run together to the same bytes.
func digest(eventType string, pub *Publication) []byte {
	h := sha256.New()
	part(h, []byte(eventType))
	part(h, pub.Payload)
	part(h, []byte(pub.OccurredAt))
	part(h, []byte(pub.NotBefore))
	entity, sequence := "", ""
	if pub.EntityID != nil {
		entity = "=" + *pub.EntityID
	}
	if pub.Sequence != nil {
		sequence = strconv.FormatInt(*pub.Sequence, 10)
	}
	part(h, []byte(entity))
	part(h, []byte(sequence))
	for _, v := range pub.Versions { // which have no payload above: nothing else ends like this
		part(h, []byte(v.Version))
		part(h, v.Payload)
	}
	return h.Sum(nil)
}

func part(h hash.Hash, b []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
	h.Write(b)
}
