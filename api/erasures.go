package api

import (
	"context"

	"github.com/posthorn/posthorn/models"
)

// Erasure is the removal of all that is stored about an application, or about one entity of it, as answers show it.
type Erasure struct {
	ID            string              `json:"id" format:"uuid"`
	ApplicationID string              `json:"application_id" format:"uuid"`
	EntityID      *string             `json:"entity_id" doc:"null = the whole application, and once it is completed."`
	EntityDigest  *string             `json:"entity_digest" doc:"SHA-256 of application_id/entity_id in hex; null = the whole application."`
	Reason        string              `json:"reason"`
	State         models.ErasureState `json:"state" enum:"pending,running,completed"`
	Removed       ErasureCounts       `json:"removed"`
	CreatedAt     string              `json:"created_at" format:"date-time"`
	StartedAt     *string             `json:"started_at" format:"date-time"`
	FinishedAt    *string             `json:"finished_at" format:"date-time"`
}

// ErasureCounts are how many of each were removed so far.
type ErasureCounts struct {
	Events        int `json:"events"`
	Invocations   int `json:"invocations" doc:"Tests of subscriptions too."`
	Attempts      int `json:"attempts" doc:"Log entries."`
	Jobs          int `json:"jobs"`
	Subscriptions int `json:"subscriptions"`
	Keys          int `json:"keys"`
}

func erasureView(e *models.Erasure) Erasure {
	c := e.ErasureCounts
	return Erasure{
		ID: e.ID, ApplicationID: e.ApplicationID, EntityID: e.EntityID, EntityDigest: e.EntityDigest, Reason: e.Reason,
		State: e.State(), Removed: ErasureCounts(c), CreatedAt: timeText(e.CreatedAt), StartedAt: timeOrNull(e.StartedAt),
		FinishedAt: timeOrNull(e.FinishedAt),
	}
}

type erasureCreation struct {
	ApplicationID string           `json:"application_id" format:"uuid" doc:"A deleted one may be given too."`
	EntityID      optional[string] `json:"entity_id,omitzero" minLength:"1" maxLength:"128" secret:"value" doc:"What publishers call the entity. Without it the whole application is erased, and deleted first."`
	Reason        string           `json:"reason" minLength:"1" maxLength:"500" doc:"Kept with the record: no personal data."`
}

func (s *server) createErasure(ctx context.Context, c *call, in *erasureCreation) (Erasure, error) {
	if err := in.check(); err != nil {
		return Erasure{}, err
	}
	now := s.Now().UTC()
	e := models.Erasure{
		ID: models.NewID(), ApplicationID: in.ApplicationID, EntityID: in.EntityID.pointer(), Reason: in.Reason,
		DispatchAfter: &now, CreatedAt: now,
	}
	if e.EntityID != nil {
		digest := models.EntityDigest(in.ApplicationID, *e.EntityID)
		e.EntityDigest = &digest
	}
	c.concerns(subjectErasure, e.ID)
	c.entry.ApplicationID = &e.ApplicationID
	if err := s.Store.CreateErasure(ctx, &e); err != nil {
		return Erasure{}, err
	}
	return erasureView(&e), nil
}

func (in *erasureCreation) check() error {
	var f models.Faults
	if !models.IsID(in.ApplicationID) {
		f.Add("application_id", "must be the id of an application")
	}
	if in.EntityID.Null { // elsewhere null is as good as left out; here that would erase everything
		f.Add("entity_id", "must be the id of an entity, or be left out to erase the whole application")
	}
	return f.Err()
}

func (s *server) getErasure(_ context.Context, c *call, _ *nothing) (Erasure, error) {
	return erasureView(c.erasure), nil
}

type erasureQuery struct {
	Paging
	ApplicationID string `query:"application_id" format:"uuid"`
	EntityID      string `query:"entity_id" maxLength:"128" doc:"With application_id; completed ones are found too."`
}

func (s *server) listErasures(ctx context.Context, c *call, in *erasureQuery) (Page[Erasure], error) {
	f, err := in.filter()
	if err != nil {
		return Page[Erasure]{}, err
	}
	part, err := s.page(c, in.Paging)
	if err != nil {
		return Page[Erasure]{}, err
	}
	rows, next, err := s.Store.Erasures(ctx, f, part)
	return newPage(s, c, mapped(rows, erasureView), next), err
}

func (in *erasureQuery) filter() (models.ErasureFilter, error) {
	var f models.Faults
	filter := models.ErasureFilter{ApplicationID: in.ApplicationID}
	if in.ApplicationID != "" && !models.IsID(in.ApplicationID) {
		f.Add("application_id", "must be the id of an application")
	}
	switch {
	case in.EntityID == "":
	case in.ApplicationID == "":
		f.Add("application_id", "is required with entity_id")
	default:
		filter.EntityDigest = models.EntityDigest(in.ApplicationID, in.EntityID)
	}
	return filter, f.Err()
}
