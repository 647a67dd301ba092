package store

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// jobBatch is how many redeliveries one ClaimJob grants at most: each keeps SQLite's writer for about 0.2 ms.
const jobBatch = 100

// ClaimJob asks for the redeliveries that a job may start now, by its rate, its state and its subscriptions' limits.
// Those of a dead worker are granted again. Once nothing is left the job is completed by it.
func (s *Store) ClaimJob(ctx context.Context, owner, id string) (*models.JobStep, error) {
	fresh, err := s.nextMatching(ctx, id)
	if err != nil {
		return nil, translate(err)
	}
	var r *jobRound
	err = s.inBackground(ctx, func() error {
		return s.writeClaim(ctx, func(tx *gorm.DB) error {
			r.giveBack()
			job, err := s.lockJob(tx, id)
			if err != nil {
				return err
			}
			r = &jobRound{store: s, tx: tx, now: s.now().UTC(), job: job, owner: owner, step: &models.JobStep{State: job.State}}
			if job.State != models.JobPending && job.State != models.JobRunning {
				return nil
			}
			return r.run(fresh)
		})
	})
	if err != nil {
		r.giveBack()
		return nil, err
	}
	return r.step, nil
}

// matches are the next invocations of a job's filter behind reached.
type matches struct {
	reached     *string
	invocations []models.Invocation
}

// nextMatching looks before the transaction: where few invocations match, finding one may take long, and every writer
// of SQLite would wait for it.
func (s *Store) nextMatching(ctx context.Context, id string) (*matches, error) {
	var job models.Job
	db := s.read(ctx)
	if err := takeRaw(db, &job, "SELECT * FROM jobs WHERE id = ?", id); err != nil {
		return nil, found(err, "job")
	}
	next := &matches{reached: job.Reached}
	if drawn(&job) || job.State.Ended() || job.State == models.JobPaused {
		return next, nil
	}
	query := meant(db.Select("invocations.id", "invocations.workflow_id"), &job).
		Where("invocations.id <= ?", *job.Through)
	if job.Reached != nil {
		query = query.Where("invocations.id > ?", *job.Reached)
	}
	err := query.Order("invocations.id").Limit(jobBatch).Find(&next.invocations).Error
	return next, err
}

// drawn reports whether every invocation of the job has its command.
func drawn(job *models.Job) bool {
	return job.Filter == nil || job.Through == nil || job.Reached != nil && *job.Reached == *job.Through
}

// jobRound is one ClaimJob.
type jobRound struct {
	store *Store
	tx    *gorm.DB
	now   time.Time
	job   *models.Job
	owner string
	step  *models.JobStep
	// alive are the workers whose claims live.
	alive []string
	// round is the gate's; nil = nothing was asked for.
	round *round
}

// giveBack is for a step that came to nothing.
func (r *jobRound) giveBack() {
	if r != nil {
		r.round.giveBack()
	}
}

func (r *jobRound) run(fresh *matches) error {
	before := *r.job
	budget, err := r.budget()
	if err != nil {
		return err
	}
	if budget > 0 {
		if err := r.claimUpTo(budget, fresh); err != nil {
			return err
		}
	}
	r.step.Idle = len(r.step.Claims) == 0 && r.job.Credit(r.now) > 0
	r.job.Spend(r.now, len(r.step.Claims))
	r.job.State = models.JobRunning
	if r.job.StartedAt == nil {
		r.job.StartedAt = &r.now
	}
	if err := r.end(); err != nil {
		return err
	}
	r.step.State = r.job.State
	return r.save(&before)
}

// jobAlive is how often a job that only waits for answers tells the reconciler that somebody works on it.
const jobAlive = OverdueAfter / 6

// save writes what steps change, if anything did: a row with a thousand ids is large.
func (r *jobRound) save(before *models.Job) error {
	changed := before.State != r.job.State || before.PacedAt != r.job.PacedAt || before.Reached != r.job.Reached
	if !changed && r.now.Sub(before.UpdatedAt) < jobAlive {
		return nil
	}
	r.job.UpdatedAt = r.now
	return r.tx.Select("state", "matched", "reached", "paced_at", "dispatch_after", "started_at", "finished_at",
		"updated_at").Updates(r.job).Error
}

// budget is how many redeliveries may start now. What a dead worker had in flight is not, and is started again.
func (r *jobRound) budget() (int, error) {
	live, err := r.store.alive(r.tx, r.owner)
	if err != nil {
		return 0, err
	}
	r.alive = []string{r.owner} // never empty: IN () is no SQL
	for id := range live {
		r.alive = append(r.alive, id)
	}
	var flying int64
	err = r.tx.Raw("SELECT COUNT(*) FROM commands c JOIN invocations i ON i.id = c.invocation_id"+
		" WHERE c.job_id = ? AND c.settled_at IS NULL AND i.claim_redelivery = c.id"+
		" AND i.claimed_at > ? AND i.claim_owner IN ?", r.job.ID, micros(r.oldest()), r.alive).Scan(&flying).Error
	return min(r.job.Credit(r.now), jobBatch, models.MaxJobInFlight-int(flying)), err
}

// oldest is when a claim of a live worker that lives was made at the earliest.
func (r *jobRound) oldest() time.Time { return r.store.living(r.owner, r.now).claimed }

// claimUpTo asks the gate for the attempts of all that is open, in one round: whoever locks invocations in several
// rounds would wait for somebody who waits for it.
func (r *jobRound) claimUpTo(budget int, fresh *matches) error {
	open, err := r.waiting()
	if err != nil {
		return err
	}
	next, err := r.draw(fresh, budget)
	if err != nil || len(open)+len(next) == 0 {
		return err
	}
	commands := make(map[string]*models.Command, len(open)+len(next))
	ids := make([]string, 0, len(open)+len(next))
	for i := range open {
		ids = append(ids, open[i].InvocationID)
		commands[open[i].InvocationID] = &open[i]
	}
	for i := range next {
		ids = append(ids, next[i].InvocationID)
		commands[next[i].InvocationID] = &next[i]
	}
	if r.round, err = r.store.newRound(r.tx, r.owner, ids, true); err != nil {
		return err
	}
	r.round.patient = true
	return r.claim(r.round, commands, budget)
}

// waiting are those that have their commands: listed ones, ones that met another attempt in flight or a limit, and
// those of dead workers. That nobody asks in vain for what a live worker sends keeps the locks few.
func (r *jobRound) waiting() (commands []models.Command, err error) {
	err = r.tx.Raw("SELECT c.* FROM commands c JOIN invocations i ON i.id = c.invocation_id"+
		" WHERE c.job_id = ? AND c.settled_at IS NULL"+
		" AND (i.claim_token IS NULL OR i.claimed_at <= ? OR i.claim_owner NOT IN ?) ORDER BY c.id LIMIT ?",
		r.job.ID, micros(r.oldest()), r.alive, jobBatch).Scan(&commands).Error
	return commands, err
}

// draw makes commands for the next invocations of the filter.
func (r *jobRound) draw(fresh *matches, budget int) ([]models.Command, error) {
	if drawn(r.job) || !same(fresh.reached, r.job.Reached) {
		return nil, nil // another worker was faster: the next step sees what is left
	}
	var open int64
	err := r.tx.Raw("SELECT COUNT(*) FROM commands WHERE job_id = ? AND settled_at IS NULL", r.job.ID).Scan(&open).Error
	wanted := min(budget, models.MaxJobInFlight-int(open))
	if err != nil || wanted <= 0 {
		return nil, err
	}
	next := fresh.invocations[:min(wanted, len(fresh.invocations))]
	if len(next) < wanted {
		r.job.Reached = r.job.Through
	} else {
		r.job.Reached = &next[wanted-1].ID
	}
	if len(next) == 0 {
		return nil, nil
	}
	commands := make([]models.Command, 0, len(next))
	for i := range next {
		commands = append(commands, commandOf(r.job, next[i].ID, next[i].WorkflowID, r.now))
	}
	return commands, r.tx.Create(&commands).Error
}

func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// claim decides the candidates of a round until so many are granted.
func (r *jobRound) claim(round *round, commands map[string]*models.Command, budget int) error {
	for i := range round.candidates {
		if len(r.step.Claims) == budget {
			return nil
		}
		c := &round.candidates[i]
		if round.refuses(c) {
			if err := r.refuse(commands[c.ID]); err != nil {
				return err
			}
			continue
		}
		claim, err := round.decideJob(c, commands[c.ID])
		if err != nil {
			return err
		}
		if claim == nil {
			r.step.Blocked = true
			continue
		}
		r.step.Claims = append(r.step.Claims, claim)
	}
	return nil
}

func (r *jobRound) refuse(command *models.Command) error {
	return r.tx.Exec("UPDATE commands SET settled_at = ?, outcome = ? WHERE id = ?",
		micros(r.now), models.RedeliveryRefused, command.ID).Error
}

// end completes the job when nothing is left.
func (r *jobRound) end() error {
	if !drawn(r.job) {
		return nil
	}
	var open []string
	err := r.tx.Raw("SELECT id FROM commands WHERE job_id = ? AND settled_at IS NULL LIMIT 1", r.job.ID).Scan(&open).Error
	if err != nil || len(open) > 0 {
		return err
	}
	var total int64
	err = r.tx.Raw("SELECT COUNT(*) FROM commands WHERE job_id = ?", r.job.ID).Scan(&total).Error
	r.job.Matched = int(total) // some may have come to differ from the filter before their turn
	complete(r.job, r.now)
	return err
}

// refuses reports whether a redelivery of the candidate would be refused by itself, without force: when a job is
// accepted nobody looks at what it is for.
func (r *round) refuses(c *candidate) bool {
	return c.SubDeletedAt != nil || !c.SubVerified || c.Status == models.StatusAbandoned ||
		c.Reason != nil && (*c.Reason == models.ReasonVersionMissing || *c.Reason == models.ReasonErased) ||
		c.Status.Open() && r.overtaken(c)
}

// decideJob is the gate for one redelivery of a job; nil = not now. One that nobody waits for keeps to its
// subscription's limits.
func (r *round) decideJob(c *candidate, command *models.Command) (*models.Claim, error) {
	spec, err := r.store.spec(r.tx, c.SpecDigest)
	if err != nil {
		return nil, err
	}
	c.Spec = spec
	if slices.Contains(r.limited, c.SubscriptionID) {
		return nil, nil //nolint:nilnil // as the one before it
	}
	if until, err := r.overLimit(c); err != nil || !until.IsZero() {
		r.limited = append(r.limited, c.SubscriptionID)
		return nil, err
	}
	gate, err := r.decideRedelivery(c, command)
	if err != nil || gate.Claim == nil {
		return nil, err
	}
	gate.Claim.Awaited = c.Status.Open() && awaited(&c.Invocation)
	gate.Claim.JobID = *command.JobID
	return gate.Claim, nil
}

// settleRedelivery notes what became of a redelivery. Where a job's success ends an invocation whose own workflow waits
// for its next attempt, the command goes to that workflow, which finds out by it.
func (s *Store) settleRedelivery(tx *gorm.DB, st models.Settlement) error {
	if st.Claim.RedeliveryID == "" {
		return nil
	}
	outcome, now := models.RedeliveryFailed, micros(s.now())
	var dispatch any
	if st.Status == models.StatusSucceeded {
		outcome = models.RedeliverySucceeded
		if st.Claim.Awaited {
			dispatch = now
		}
	}
	return tx.Exec("UPDATE commands SET settled_at = COALESCE(settled_at, ?), outcome = ?, dispatch_after = ? WHERE id = ?",
		now, outcome, dispatch, st.Claim.RedeliveryID).Error
}
