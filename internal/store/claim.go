package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/internal/failpoint"
	"github.com/posthorn/posthorn/models"
)

// candidate is an invocation that somebody wants to attempt, with what the gate looks at.
type candidate struct {
	models.Invocation
	Tenant       string
	SubURL       string
	SubSealed    []byte
	SubEnabled   bool
	SubVerified  bool
	SubGone      bool
	SubDeletedAt *time.Time `gorm:"serializer:micros"`
	SubFailing   bool
	SubRateTAT   int64 `gorm:"column:sub_rate_tat"`
	// Slot is when its turn comes in the line of its subscription; nil = it was not in line since its last attempt.
	Slot *time.Time `gorm:"serializer:micros"`
	// Spec is loaded for those that are due; granted is set once this round has said yes.
	Spec    *models.Spec `gorm:"-"`
	granted bool
}

const candidateSQL = `SELECT invocations.*, a.external_id AS tenant, s.url AS sub_url, s.sealed AS sub_sealed,
 s.enabled AS sub_enabled, s.verified AS sub_verified, s.gone AS sub_gone,
 s.deleted_at AS sub_deleted_at, s.failing AS sub_failing, s.rate_tat AS sub_rate_tat
 FROM invocations JOIN subscriptions s ON s.id = invocations.subscription_id
 JOIN applications a ON a.id = invocations.application_id WHERE invocations.id IN ? ORDER BY invocations.id`

// Claim asks for the scheduled (or test) attempts of the given invocations and answers for each of them: it is the
// one gate before anything is sent. owner is the asking worker's boot id. What is granted stays claimed until it is
// settled, or its owner has not renewed itself for Lease.
func (s *Store) Claim(ctx context.Context, owner string, ids []string) ([]models.Gate, error) {
	var gates []models.Gate
	err := s.round(ctx, owner, ids, func(r *round) (err error) {
		gates, err = r.decideAll()
		return err
	})
	return gates, err
}

// ClaimRedelivery asks for the attempt that a redeliver command wants. It is granted in any state of the invocation;
// closed means the command was carried out already, or the subscription is gone for good.
func (s *Store) ClaimRedelivery(ctx context.Context, owner, commandID string) (models.Gate, error) {
	var command models.Command
	if err := takeRaw(s.read(ctx), &command, "SELECT * FROM commands WHERE id = ?", commandID); err != nil {
		return models.Gate{}, found(err, "command")
	}
	var gate models.Gate
	err := s.round(ctx, owner, []string{command.InvocationID}, func(r *round) (err error) {
		gate, err = r.decideCommand(commandID)
		return err
	})
	return gate, err
}

// errOrdered tells that a round has met ordered invocations, whose keys must be locked first.
var errOrdered = errors.New("ordered invocations")

// round runs one round of decisions in a transaction. Most invocations are neither ordered nor limited and take no more
// than one query; where one is, Postgres begins anew: with its key locked, or under the lock of its subscription.
func (s *Store) round(ctx context.Context, owner string, ids []string, decide func(*round) error) error {
	ordered := !s.postgres()
	var locked []string
	for {
		err := s.roundOnce(ctx, locked, func(tx *gorm.DB) (*round, error) {
			r, err := s.newRound(tx, owner, ids, ordered)
			if err != nil {
				return nil, err
			}
			r.locked = locked
			return r, decide(r)
		})
		contended, again := errors.AsType[*contendedError](err)
		switch {
		case errors.Is(err, errOrdered):
			ordered = true
		case again:
			locked = contended.subscriptions
		default:
			return err
		}
	}
}

// roundOnce runs one transaction with a round, whose permits are given back if it fails.
func (s *Store) roundOnce(ctx context.Context, locked []string, run func(*gorm.DB) (*round, error)) error {
	unlock, err := s.subscriptionLocks.lock(ctx, locked)
	if err != nil {
		return err
	}
	defer unlock()
	var r *round
	err = s.inBackground(ctx, func() error {
		return s.writeClaim(ctx, func(tx *gorm.DB) (err error) {
			r.giveBack()
			r, err = run(tx)
			return err
		})
	})
	if err != nil {
		r.giveBack()
	}
	return err
}

// round is one transaction's worth of gate decisions.
type round struct {
	store      *Store
	tx         *gorm.DB
	now        time.Time
	owner      string
	candidates []candidate
	alive      map[string]time.Time // nil until somebody holds a claim
	events     map[string]*models.Event
	// keys are the ordering keys of the candidates, locked.
	keys map[string]*orderingKey
	// token is that of the claims which this round grants, and permits are those that it took for them.
	token   string
	permits []permit
	// locked are the subscriptions whose locks this round has. A patient one waits for a subscription's row without.
	locked  []string
	patient bool
	// limited are the subscriptions of which a job gets no more in this round.
	limited []string
}

// newRound reads and locks the candidates. ordered says that their ordering keys may be locked now: on Postgres, that
// they come first; without it, meeting an ordered candidate is errOrdered.
func (s *Store) newRound(tx *gorm.DB, owner string, ids []string, ordered bool) (*round, error) {
	var keys map[string]*orderingKey
	var err error
	if ordered && s.postgres() {
		if keys, err = s.lockKeys(tx, "id IN ?", ids); err != nil {
			return nil, err
		}
	}
	r, err := s.roundUnder(tx, owner, ids, keys)
	if err != nil {
		return nil, err
	}
	if r.keys == nil && slices.ContainsFunc(r.candidates, func(c candidate) bool { return c.OrderingKey != nil }) {
		if !ordered {
			return nil, errOrdered
		}
		if r.keys, err = s.lockKeys(tx, "id IN ?", ids); err != nil {
			return nil, err
		}
	}
	for _, c := range r.candidates {
		if c.OrderingKey != nil && r.keys[*c.OrderingKey] == nil {
			return nil, fmt.Errorf("invocation %s has an ordering key that is not stored", c.ID)
		}
	}
	return r, nil
}

// roundUnder reads and locks candidates whose ordering keys the caller has locked; nil = it has not.
func (s *Store) roundUnder(tx *gorm.DB, owner string, ids []string, keys map[string]*orderingKey) (*round, error) {
	r := &round{
		store: s, tx: tx, now: s.now().UTC(), owner: owner, events: map[string]*models.Event{}, keys: keys, token: models.NewID(),
	}
	return r, tx.Raw(candidateSQL+s.forUpdate("invocations"), ids).Scan(&r.candidates).Error
}

func (r *round) decideAll() ([]models.Gate, error) {
	gates := make([]models.Gate, 0, len(r.candidates))
	granted := make(map[string]*candidate, len(r.candidates))
	for i := range r.candidates {
		c := &r.candidates[i]
		gate, err := r.decide(c)
		if err != nil {
			return nil, err
		}
		if gate.Verdict == models.VerdictGranted {
			c.granted = true
			granted[c.ID] = c
		}
		gates = append(gates, gate)
	}
	return gates, r.grant(gates, granted)
}

// grant stores the claims of one round in one UPDATE and fills in what sending takes.
func (r *round) grant(gates []models.Gate, granted map[string]*candidate) error {
	if len(granted) == 0 {
		return nil
	}
	ids := make([]string, 0, len(granted))
	for i := range gates {
		c, ok := granted[gates[i].InvocationID]
		if !ok {
			continue
		}
		claim, err := r.claimOf(c)
		if err != nil {
			return err
		}
		gates[i].Claim = claim
		if err := r.aim(c); err != nil {
			return err
		}
		ids = append(ids, c.ID)
	}
	redelivery := granted[ids[0]].ClaimRedelivery // a round for a redelivery has one candidate
	err := r.tx.Exec("UPDATE invocations SET claim_token = ?, claim_owner = ?, claimed_at = ?, claim_redelivery = ?,"+
		" overdue = 0, slot = NULL, dispatch_after = CASE WHEN ? THEN dispatch_after END WHERE id IN ?",
		r.token, r.owner, micros(r.now), redelivery, redelivery != nil, ids).Error
	noteToken(r.tx, r.token)
	failpoint.Hit("claim-stored")
	return err
}

// aim records the URL of an attempt before it is made, where it is another than the last one's: if its process does not
// survive it, the log is to say where it went.
func (r *round) aim(c *candidate) error {
	if c.URL == c.SubURL {
		return nil
	}
	return r.tx.Exec("UPDATE invocations SET url = ? WHERE id = ?", c.SubURL, c.ID).Error
}

func (r *round) claimOf(c *candidate) (*models.Claim, error) {
	secrets, err := r.store.openSecrets(c.ApplicationID, c.SubscriptionID, c.SubSealed)
	if err != nil {
		return nil, err
	}
	claim := &models.Claim{
		Token: r.token, InvocationID: c.ID, Number: c.Attempts + 1, Trigger: triggerOf(c),
		ApplicationID: c.ApplicationID, SubscriptionID: c.SubscriptionID, Tenant: c.Tenant, EventType: c.EventType,
		URL: c.SubURL, Secrets: secrets, Spec: c.Spec, PolicyAttempts: c.PolicyAttempts,
		FirstAttemptAt: c.FirstAttemptAt, AcceptedAt: c.CreatedAt,
		Payload: []byte(c.Spec.TestEvent.Payload), Wire: c.Spec.TestEvent.Type,
	}
	if c.ClaimRedelivery != nil {
		claim.RedeliveryID = *c.ClaimRedelivery
	}
	if c.Version != nil {
		claim.Version = *c.Version
	}
	if c.OrderingKey != nil {
		claim.OrderingKey, claim.Sequence = *c.OrderingKey, *c.Sequence
	}
	if c.EventID == nil {
		return claim, nil
	}
	event, err := r.event(*c.EventID, c.Version)
	if err != nil {
		return nil, err
	}
	claim.EventID, claim.Payload, claim.Wire = event.ID, event.Payload, event.Wire
	claim.OccurredAt, claim.AcceptedAt, claim.Tenant = event.OccurredAt, event.CreatedAt, event.Tenant
	if event.Traceparent != nil {
		claim.Traceparent = *event.Traceparent
	}
	return claim, nil
}

// event reads an event, for one version, once a round: the invocations of one workflow mostly share it.
func (r *round) event(id string, version *string) (*models.Event, error) {
	key := id
	if version != nil {
		key += "/" + *version
	}
	if event, ok := r.events[key]; ok {
		return event, nil
	}
	event, err := eventFor(r.tx, id, version)
	if err != nil {
		return nil, err
	}
	r.events[key] = event
	return event, nil
}

func triggerOf(c *candidate) models.Trigger {
	switch {
	case c.ClaimRedelivery != nil:
		return models.TriggerRedeliver
	case c.IsTest():
		return models.TriggerTest
	default:
		return models.TriggerScheduled
	}
}
