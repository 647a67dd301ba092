package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn/models"
)

// Store is what the API needs of the database. What is not there is CodeNotFound, a database that does not answer
// CodeUnavailable.
type Store interface {
	applicationStore
	keyStore
	eventTypeStore
	subscriptionStore
	eventStore
	invocationStore
	jobStore
	auditStore
	erasureStore
}

type applicationStore interface {
	CreateApplication(ctx context.Context, a *models.Application) error
	Application(ctx context.Context, id string) (*models.Application, error)
	Applications(ctx context.Context, p models.Page) ([]models.Application, string, error)
	UpdateApplication(
		ctx context.Context, id string, change func(*models.Application) error) (*models.Application, error)
	UpdateWithoutHandshake(
		ctx context.Context, id string, change func(*models.Application) error) (*models.Application, error)
	DeleteApplication(ctx context.Context, id string) error
}

type keyStore interface {
	CreateKey(ctx context.Context, k *models.Key) error
	Key(ctx context.Context, id string) (*models.Key, error)
	Keys(ctx context.Context, applicationID string, p models.Page) ([]models.Key, string, error)
	RevokeKey(ctx context.Context, id string) error
	TouchKey(ctx context.Context, id string, at time.Time) error
}

type eventTypeStore interface {
	PutEventType(ctx context.Context, profile string, t models.EventType) error
}

type subscriptionStore interface {
	CreateSubscription(ctx context.Context, sub *models.Subscription, limit int) error
	Subscription(ctx context.Context, id string) (*models.Subscription, error)
	Subscriptions(
		ctx context.Context, f models.SubscriptionFilter, p models.Page) ([]models.Subscription, string, error)
	UpdateSubscription(
		ctx context.Context, id string, change func(*models.Subscription) error) (*models.Subscription, error)
	DeleteSubscription(ctx context.Context, id string) error
	SubscriptionStats(ctx context.Context, id string) (*models.SubscriptionStats, error)
	CreateTest(ctx context.Context, i *models.Invocation, spec models.StoredSpec) error
}

type eventStore interface {
	Event(ctx context.Context, id string) (*models.Event, error)
	EventFor(ctx context.Context, id string, version *string) (*models.Event, error)
	Events(ctx context.Context, f models.EventFilter, p models.Page) ([]models.Event, string, error)
	EventInvocations(ctx context.Context, eventID string) ([]models.InvocationView, error)
	CancelEvent(ctx context.Context, id string) error
}

type invocationStore interface {
	Invocation(ctx context.Context, id string) (*models.InvocationView, error)
	Invocations(
		ctx context.Context, f models.InvocationFilter, p models.Page) ([]models.InvocationView, string, error)
	AttemptsAfter(ctx context.Context, invocationID string, number, limit int) ([]models.Attempt, error)
	Outcomes(ctx context.Context, invocationID string, number, limit int) ([]models.Attempt, error)
	Spec(ctx context.Context, digest []byte) (*models.Spec, error)
	Timeline(
		ctx context.Context, applicationID, subscriptionID string, from time.Time, width time.Duration, parts int,
	) (*models.Timeline, error)
	Redeliver(ctx context.Context, id string, force bool) (string, error)
	Cancel(ctx context.Context, id string) error
}

type jobStore interface {
	CreateJob(ctx context.Context, job *models.Job) error
	Job(ctx context.Context, id string) (*models.JobView, error)
	Jobs(ctx context.Context, applicationID string, p models.Page) ([]models.JobView, string, error)
	ChangeJob(ctx context.Context, id string, action models.JobAction) (*models.JobView, error)
}

type erasureStore interface {
	CreateErasure(ctx context.Context, e *models.Erasure) error
	Erasure(ctx context.Context, id string) (*models.Erasure, error)
	Erasures(ctx context.Context, f models.ErasureFilter, p models.Page) ([]models.Erasure, string, error)
}

// auditStore lists the entries of models.WithAudit, which every method above that changes something stores with its
// change, and those of denials, which have no change.
type auditStore interface {
	NoteDenial(ctx context.Context, entry *models.AuditEntry) error
	AuditEntries(ctx context.Context, f models.AuditFilter, p models.Page) ([]models.AuditEntry, string, error)
}
