package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/models"
)

// Acceptance is one event to be accepted, with the invocations it leads to.
type Acceptance = models.Acceptance

// insertBatch bounds the rows of one INSERT: SQLite takes 32,766 parameters, an invocation has 35.
const insertBatch = 500

// Accept stores the events and their invocations in one durable transaction, in the order given. A repeat of an
// idempotency key is no error: its Acceptance gets the first event and Duplicate, or Err when the content differs.
// Any other refusal of one event is in its Err; the others are stored. The returned error means nothing is stored.
func (s *Store) Accept(ctx context.Context, applicationID string, batch []*Acceptance) error {
	accepted := make([]Acceptance, len(batch))
	err := s.write(ctx, func(tx *gorm.DB) error {
		for i, a := range batch {
			accepted[i] = afresh(a)
		}
		keys, err := takeKeys(tx, accepted)
		if err != nil {
			return err
		}
		for i := range accepted {
			if accepted[i].Err != nil {
				continue
			}
			if err := s.acceptOne(tx, applicationID, &accepted[i], keys); err != nil {
				return err
			}
		}
		err = storeHeads(tx, keys)
		failpoint.Hit("accept-stored")
		return err
	})
	if err != nil {
		return err
	}
	for i := range batch {
		*batch[i] = accepted[i]
	}
	s.rememberSpecs(batch)
	return nil
}

// afresh is an acceptance as it came: what an earlier run of the transaction made of it does not count.
func afresh(a *Acceptance) Acceptance {
	fresh := *a
	if a.Event != nil {
		a.Event.Seq = 0
	}
	if !slices.ContainsFunc(a.Invocations, func(i *models.Invocation) bool { return i.OrderingKey != nil }) {
		return fresh
	}
	fresh.Invocations = make([]*models.Invocation, 0, len(a.Invocations))
	for _, invocation := range a.Invocations {
		row := *invocation
		fresh.Invocations = append(fresh.Invocations, &row)
	}
	return fresh
}

func (s *Store) acceptOne(tx *gorm.DB, applicationID string, a *Acceptance, keys map[string]*orderingKey) error {
	if first, err := s.repeated(tx, applicationID, a); err != nil || first {
		return err
	}
	if mixed, err := s.sequenceMixes(tx, a.Event); err != nil || mixed != nil {
		a.Err = mixed
		return err
	}
	insert := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(a.Event)
	if insert.Error != nil {
		return insert.Error
	}
	if insert.RowsAffected == 0 { // another process took the idempotency key since repeated looked
		if first, err := s.repeated(tx, applicationID, a); err != nil || first {
			return err
		}
		return fmt.Errorf("event %s was not stored and is no repeat", a.Event.ID)
	}
	if len(a.Event.Versions) > 0 {
		if err := tx.Create(&a.Event.Versions).Error; err != nil {
			return err
		}
	}
	if err := s.storeSpecs(tx, a.Specs); err != nil {
		return err
	}
	if len(a.Invocations) == 0 {
		return nil
	}
	for _, invocation := range a.Invocations {
		if invocation.OrderingKey != nil {
			sequence := a.Event.Sequence()
			invocation.Sequence = &sequence
			keys[*invocation.OrderingKey].place(invocation)
		}
	}
	return tx.CreateInBatches(a.Invocations, insertBatch).Error
}

// repeated looks the idempotency key up and, where it is known, answers with the first event.
func (s *Store) repeated(tx *gorm.DB, applicationID string, a *Acceptance) (bool, error) {
	if a.Event.IdempotencyKey == nil {
		return false, nil
	}
	var first []models.Event
	err := tx.Where("application_id = ? AND idempotency_key = ?", applicationID, *a.Event.IdempotencyKey).
		Omit("payload").Limit(1).Find(&first).Error
	if err != nil || len(first) == 0 {
		return false, err
	}
	if !bytes.Equal(first[0].Digest, a.Event.Digest) {
		a.Err = models.Errorf(models.CodeIdempotencyMismatch,
			"this idempotency key was used for another event (%s)", first[0].ID)
		return true, nil
	}
	a.Event, a.Duplicate, a.Invocations = &first[0], true, nil
	err = tx.Select("id", "subscription_id").Where("event_id = ?", first[0].ID).Order("id").Find(&a.Invocations).Error
	return true, err
}

// sequenceMixes refuses an event whose entity has been numbered the other way: by the publisher, or by acceptance.
func (s *Store) sequenceMixes(tx *gorm.DB, e *models.Event) (refusal, err error) {
	if e.EntityID == nil {
		return nil, nil
	}
	last, err := lastOfEntity(tx, e)
	if err == nil && len(last) == 0 && s.postgres() { // others may be about to accept its first event too
		if err := lockEntity(tx, e); err != nil {
			return nil, err
		}
		last, err = lastOfEntity(tx, e)
	}
	switch {
	case err != nil || len(last) == 0 || (last[0].PublisherSequence == nil) == (e.PublisherSequence == nil):
		return nil, err
	case e.PublisherSequence == nil:
		return models.Invalid("sequence", "is required: earlier events of this entity_id have one"), nil
	default:
		return models.Invalid("sequence", "may not be given: earlier events of this entity_id have none"), nil
	}
}

func lastOfEntity(tx *gorm.DB, e *models.Event) (last []models.Event, err error) {
	err = tx.Select("publisher_sequence").Where("application_id = ? AND entity_id = ?", e.ApplicationID, *e.EntityID).
		Order("seq DESC").Limit(1).Find(&last).Error
	return last, err
}

// lockEntity makes those who accept an entity's first event wait for each other until they commit.
func lockEntity(tx *gorm.DB, e *models.Event) error {
	return tx.Exec("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", e.ApplicationID+"/"+*e.EntityID).Error
}
