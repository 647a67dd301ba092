package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// purgeRows bounds what goes with the rows of one batch: invocations, commands, ordering keys.
const purgeRows = 2000

// purge is one batch of the retention.
type purge struct {
	store  *Store
	before int64
	limit  int
	// gone counts what the transaction removes, for the records of erasures.
	gone models.ErasureCounts
	// unlist takes removed invocations out of the lists of jobs too.
	unlist bool
}

// batch removes one batch of a phase; more says that another of it is to follow, from next on.
type batch func(p *purge, ctx context.Context, from models.PurgeCursor) (
	removed int, next models.PurgeCursor, more bool, err error,
)

type purgePhase struct {
	name models.PurgePhase
	run  batch
}

func purgePhases() []purgePhase {
	return []purgePhase{
		{models.PurgeEvents, (*purge).events},
		{models.PurgeTests, (*purge).tests},
		{models.PurgeJobs, inOne((*purge).jobs)},
		{models.PurgeSubscriptions, inOne((*purge).subscriptions)},
		{models.PurgeApplications, inOne((*purge).applications)},
	}
}

// Purge removes one batch of what ended before the given time and of which nothing has been heard since: at most limit
// events with all that belongs to them, or tests, jobs, deleted subscriptions or applications, in one short transaction.
// An event with an open invocation, an attempt in flight or a command that is not carried out stays whole. from is the
// Next of the batch before. Nobody waits for a batch on Postgres, nor it for anybody: what is locked is passed over,
// and the next round finds it.
func (s *Store) Purge(
	ctx context.Context, before time.Time, from models.PurgeCursor, limit int,
) (models.PurgeStep, error) {
	phases := purgePhases()
	at := slices.IndexFunc(phases, func(phase purgePhase) bool { return phase.name == from.Phase })
	switch {
	case from.Phase == "":
		at = 0
	case at < 0:
		return models.PurgeStep{}, fmt.Errorf("unknown phase of the retention: %q", from.Phase)
	}
	p := &purge{store: s, before: micros(before), limit: limit}
	removed, next, more, err := phases[at].run(p, ctx, from)
	if err != nil {
		return models.PurgeStep{}, translate(err)
	}
	step := models.PurgeStep{Removed: removed, Next: next}
	switch {
	case more:
		step.Next.Phase = phases[at].name
	case at+1 < len(phases):
		step.Next = models.PurgeCursor{Phase: phases[at+1].name}
	default:
		step.Done = true
	}
	return step, nil
}

// inOne makes a phase of what needs no cursor: what one batch finds, it removes.
func inOne(run func(p *purge, tx *gorm.DB) (int, bool, error)) batch {
	return func(p *purge, ctx context.Context, from models.PurgeCursor) (
		removed int, _ models.PurgeCursor, more bool, err error,
	) {
		err = p.store.writeRelaxed(ctx, func(tx *gorm.DB) error {
			removed, more, err = run(p, tx)
			return err
		})
		return removed, from, more, err
	}
}

// aged is a row of a table that is walked through by age.
type aged struct {
	CreatedAt int64
	ID        string
}

// beginning sorts before every id, in both dialects.
const beginning = "00000000-0000-0000-0000-000000000000"

// page reads the next rows of a table by age. It looks outside of the transaction, which must not wait for it.
func (p *purge) page(ctx context.Context, from models.PurgeCursor, table string) (rows []aged, err error) {
	if from.ID == "" {
		from.ID = beginning
	}
	err = p.store.read(ctx).Raw("SELECT created_at, id FROM "+table+" (created_at, id) > (?, ?) AND created_at < ?"+
		" ORDER BY created_at, id LIMIT ?", from.CreatedAt, from.ID, p.before, p.limit).Scan(&rows).Error
	return rows, err
}

// after is the cursor behind the row.
func (a aged) after() models.PurgeCursor { return models.PurgeCursor{CreatedAt: a.CreatedAt, ID: a.ID} }

func idsOf(rows []aged) []string {
	ids := make([]string, 0, len(rows))
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}

// skipLockedRows is the suffix that locks what is about to be removed, but for what others hold: whoever holds an
// ordering key may want an invocation, an event or a command next, and the other way round.
func (p *purge) skipLockedRows() string {
	if p.store.postgres() {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}
