package api

import (
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/delivery"
	"github.com/posthorn/posthorn/models"
)

// Message is an invocation in the form of the provider's own API, whose spelling it keeps.
type Message struct {
	MessageID      string  `json:"messageId" format:"uuid" doc:"The invocation's id."`
	EventTypeID    *int64  `json:"eventTypeId" doc:"The event type's number on the wire; null where it is a word there."`
	Created        string  `json:"created" format:"date-time"`
	ResponseStatus int     `json:"responseStatus" enum:"0,1,2" doc:"1: delivered. 2: tried, not delivered so far. 0: not tried yet."`
	StatusCode     *int    `json:"statusCode" doc:"The last attempt's; null when no answer came."`
	Delivered      *string `json:"delivered" format:"date-time" doc:"null while it is not delivered."`
	NextRetry      *string `json:"nextRetry" format:"date-time" doc:"null when no retry is scheduled."`
	URL            string  `json:"url" doc:"Where the last attempt went; before the first, where it will go."`
}

// messageList is a bare array.
type messageList []Message

// Schema documents it as a list that is never null.
func (messageList) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[Message](), true, "")}
}

// MessageDetail is a message with its body and deliveries.
type MessageDetail struct {
	Message
	Payload    *string           `json:"payload" doc:"The body as it was sent last, or will be sent first; null when it cannot be told any more."`
	Deliveries []MessageDelivery `json:"deliveries" doc:"Its attempts, oldest first; of more than 1000 the latest 1000."`
}

// MessageDelivery is one attempt.
type MessageDelivery struct {
	DeliveryID     string  `json:"deliveryId" format:"uuid"`
	Created        string  `json:"created" format:"date-time" doc:"When it was started."`
	ResponseStatus int     `json:"responseStatus" enum:"1,2" doc:"1: delivered. 2: failed."`
	StatusCode     *int    `json:"statusCode" doc:"null when no answer came."`
	Delivered      *string `json:"delivered" format:"date-time" doc:"When it had succeeded; null when it failed."`
}

// MessageRef names the message that an action is about.
type MessageRef struct {
	MessageID string `json:"messageId" format:"uuid"`
}

// What responseStatus says.
const (
	responseNone    = 0
	responseSuccess = 1
	responseFail    = 2
)

func responseStatus(r models.Receipt) int {
	switch r {
	case models.ReceiptTaken:
		return responseSuccess
	case models.ReceiptRefused:
		return responseFail
	case models.ReceiptNone:
	}
	return responseNone
}

func (s *server) messageView(v *models.InvocationView, eventTypeID *int64) Message {
	m := Message{
		MessageID: v.ID, EventTypeID: eventTypeID, Created: timeText(v.CreatedAt),
		ResponseStatus: responseStatus(v.Receipt()), StatusCode: v.LastStatusCode, Delivered: timeOrNull(v.DeliveredAt),
		URL: v.URL,
	}
	if v.Attempts > 0 { // the first attempt is no retry
		m.NextRetry = s.invocationView(v).NextAttemptAt
	}
	return m
}

// wireNumber is the event type as it is sent, where that is a number.
func wireNumber(facts *delivery.Facts) *int64 {
	if facts == nil {
		return nil
	}
	n, err := strconv.ParseInt(facts.Wire, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

func deliveryView(a *models.Attempt) MessageDelivery {
	d := MessageDelivery{
		DeliveryID: a.ID, Created: timeText(a.StartedAt), ResponseStatus: responseFail, StatusCode: a.StatusCode,
	}
	if a.Outcome == models.AttemptSucceeded {
		d.ResponseStatus, d.Delivered = responseSuccess, timeOrNull(&a.FinishedAt)
	}
	return d
}
