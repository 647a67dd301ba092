package api

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/internal/ingest"
	"github.com/posthorn/posthorn/models"
)

// maxBatch bounds the events of one batch, as the schema of batch says, too.
const maxBatch = 500

// batch is several events; each is looked at by itself.
type batch struct {
	Events batchEvents `json:"events" maxItems:"500"`
}

type batchEvents []raw

// Schema documents the events.
func (batchEvents) Schema(r huma.Registry) *huma.Schema {
	least, most := 1, maxBatch
	return &huma.Schema{
		Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[publication](), true, ""), MinItems: &least, MaxItems: &most,
	}
}

// BatchResults are the answers to the events of a batch, in their order.
type BatchResults struct {
	Results []BatchResult `json:"results"`
}

// BatchResult is the answer to one event of a batch.
type BatchResult struct {
	Index       int         `json:"index"`
	ID          *string     `json:"id" format:"uuid" doc:"null when it was refused."`
	Sequence    *int64      `json:"sequence"`
	Duplicate   bool        `json:"duplicate"`
	Invocations []FiredAt   `json:"invocations"`
	Error       *BatchError `json:"error" doc:"Why it was refused; null when it was accepted."`
}

// BatchError says why one event of a batch was refused.
type BatchError struct {
	Code   models.Code    `json:"code"`
	Status int            `json:"status" doc:"The status that the event would have got by itself."`
	Detail string         `json:"detail"`
	Errors []ProblemField `json:"errors"`
}

// Schema documents it as an object or null, which Huma has no words for.
func (BatchError) Schema(r huma.Registry) *huma.Schema {
	return orNull(&huma.Schema{
		Type: huma.TypeObject, Required: []string{"code", "status", "detail", "errors"}, AdditionalProperties: false,
		Properties: map[string]*huma.Schema{
			"code": {Type: huma.TypeString}, "detail": {Type: huma.TypeString},
			"status": {Type: huma.TypeInteger, Description: "The status that the event would have got by itself."},
			"errors": {Type: huma.TypeArray, Items: r.Schema(reflect.TypeFor[ProblemField](), true, "")},
		},
	})
}

func (s *server) publishBatch(ctx context.Context, c *call, in *batch) (BatchResults, error) {
	if n := len(in.Events); n == 0 || n > maxBatch {
		return BatchResults{}, models.Invalid("events", "must list 1 to %d events", maxBatch)
	}
	if c.request.Header.Get("Idempotency-Key") != "" {
		return BatchResults{}, models.Invalid("idempotency_key", "give each event of a batch its own, not the header")
	}
	results := make([]BatchResult, len(in.Events))
	var publications []ingest.Publication
	var places []int
	for i, text := range in.Events {
		results[i] = BatchResult{Index: i, Invocations: []FiredAt{}}
		p, err := decodePublication(text)
		if err != nil {
			results[i].refuse(err)
			continue
		}
		p.Traceparent = c.traceparent
		publications, places = append(publications, p), append(places, i)
	}
	if len(publications) == 0 {
		return BatchResults{Results: results}, nil
	}
	accepted, err := s.Ingest.Accept(ctx, c.application, publications)
	if err != nil {
		return BatchResults{}, ours(err)
	}
	for i, a := range accepted {
		results[places[i]].fill(a)
	}
	return BatchResults{Results: results}, nil
}

func decodePublication(text []byte) (ingest.Publication, error) {
	var in publication
	if err := decodeObject(text, &in); err != nil {
		return ingest.Publication{}, err
	}
	return in.publication()
}

func (r *BatchResult) fill(a *models.Acceptance) {
	if a.Err != nil {
		r.refuse(a.Err)
		return
	}
	sequence := a.Event.Sequence()
	r.ID, r.Sequence, r.Duplicate, r.Invocations = &a.Event.ID, &sequence, a.Duplicate, firedAt(a)
}

// refuse tells a client what it would hear of the event alone, with the places of the batch.
func (r *BatchResult) refuse(err error) {
	e, ok := errors.AsType[*models.Error](err)
	if !ok {
		e = models.Errorf(models.CodeInternal, "something went wrong here")
	}
	r.Error = &BatchError{Code: e.Code, Status: statusOf(e.Code), Detail: e.Message, Errors: fieldsOf(e)}
	for i := range r.Error.Errors {
		r.Error.Errors[i].Location = models.JoinLocation(element("events", r.Index), r.Error.Errors[i].Location)
	}
}

func element(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }
