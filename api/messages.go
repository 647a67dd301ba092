package api

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/posthorn/posthorn/models"
)

const (
	defaultMessages = 100
	maxMessages     = 500
	// maxDeliveries bounds the deliveries of one answer.
	maxDeliveries = 1000
)

// listMessages lists the messages of one event type, newest first. Another type than the catalogue has finds nothing,
// and so does every number where types are words on the wire.
func (s *server) listMessages(ctx context.Context, c *call, _ *nothing) (messageList, error) {
	eventTypeID, f, limit, err := readMessageQuery(c.request.URL.Query())
	if err != nil {
		return nil, err
	}
	p, err := s.profileOf(ctx, c.application)
	if err != nil {
		return nil, err
	}
	eventType, ok := typeOnWire(p.Catalogue, eventTypeID)
	if !ok {
		return messageList{}, nil
	}
	f.ApplicationID, f.EventType, f.WithoutTests = c.application.ID, eventType, true
	rows, _, err := s.Store.Invocations(ctx, f, models.Page{Limit: limit})
	return mapped(rows, func(v *models.InvocationView) Message { return s.messageView(v, &eventTypeID) }), err
}

func typeOnWire(catalogue []models.EventType, id int64) (name string, ok bool) {
	wire := strconv.FormatInt(id, 10)
	for _, t := range catalogue {
		if t.Wire == wire {
			return t.Name, true
		}
	}
	return "", false
}

// readMessageQuery reads the list's parameters; an empty one that is not required counts as left out.
func readMessageQuery(query url.Values) (eventTypeID int64, f models.InvocationFilter, limit int, err error) {
	var faults models.Faults
	if eventTypeID, err = strconv.ParseInt(query.Get("eventTypeId"), 10, 64); err != nil {
		faults.Add("eventTypeId", "is required, and must be an integer")
	}
	if text := query.Get("before"); text != "" {
		// A + that is not percent-encoded reads as a blank, which RFC 3339 has none of.
		if f.Before, err = models.ParseTime(strings.ReplaceAll(text, " ", "+")); err != nil {
			faults.Add("before", "must be a time as in RFC 3339")
		}
		f.Before = given(f.Before)
	}
	switch query.Get("responseStatus") {
	case "":
	case strconv.Itoa(responseSuccess):
		f.Receipt = models.ReceiptTaken
	case strconv.Itoa(responseFail):
		f.Receipt = models.ReceiptRefused
	default:
		faults.Add("responseStatus", "must be 1 or 2")
	}
	limit = defaultMessages
	if text := query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxMessages {
			faults.Add("limit", "must be 1 to %d", maxMessages)
		}
	}
	return eventTypeID, f, limit, faults.Err()
}

// getMessage shows a message with its latest deliveries.
func (s *server) getMessage(ctx context.Context, c *call, _ *nothing) (MessageDetail, error) {
	v := c.invocation
	facts, err := s.facts(ctx, v)
	if err != nil {
		return MessageDetail{}, err
	}
	shown := min(v.Attempts, maxDeliveries) // an attempt that has ended since v was read would not fit the rest
	attempts, err := s.Store.Outcomes(ctx, v.ID, v.Attempts-shown, shown)
	if err != nil {
		return MessageDetail{}, err
	}
	last := &models.Attempt{} // before the first: as it will be sent
	if len(attempts) > 0 {
		last = &attempts[len(attempts)-1]
	}
	if facts != nil {
		if err := s.hold(ctx, c, len(facts.Payload)); err != nil {
			return MessageDetail{}, err
		}
	}
	detail := MessageDetail{Payload: bodyOf(last, facts), Deliveries: mapped(attempts, deliveryView)}
	detail.Message = s.messageView(v, wireNumber(facts))
	return detail, nil
}

func (s *server) redeliverMessage(ctx context.Context, c *call, _ *nothing) (MessageRef, error) {
	ref, err := s.redeliverInvocation(ctx, c, &redelivery{})
	return MessageRef{MessageID: ref.InvocationID}, err
}

// VerificationKey is what a URL must answer with to be verified.
type VerificationKey struct {
	Key string `json:"Key" pattern:"^[0-9A-F]{40}$"`
}

func (s *server) verificationKey(_ context.Context, c *call, _ *nothing) (VerificationKey, error) {
	return VerificationKey{Key: c.application.HandshakeKey}, nil
}
