package storetest

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/models"
)

// latestAtRandom looks for a claim on an older event that was granted after a newer one of the same entity had been
// recorded as delivered, in random interleavings of all that can happen to them.
func latestAtRandom(t *testing.T, w *world) {
	t.Helper()

	t.Run("one step after the other", func(t *testing.T) {
		for range rounds(3, 200) {
			seed := rand.Uint64()
			h := newHistory(t, w, seed)
			random := rand.New(rand.NewPCG(seed, 0))
			for range 120 {
				h.step(t, random)
			}
			h.finish(t)
		}
	})

	t.Run("by six workers at once", func(t *testing.T) {
		for range rounds(2, 100) {
			seed := rand.Uint64()
			h := newHistory(t, w, seed)
			atOnce(6, func(worker int) {
				random := rand.New(rand.NewPCG(seed, uint64(worker)))
				for range 50 {
					h.step(t, random)
				}
			})
			h.finish(t)
		}
	})
}

// history is what happened to the events of three entities of one subscription.
type history struct {
	*line

	seed uint64
	mu   sync.Mutex
	ids  []string
	// entities are those of the invocations.
	entities map[string]string
	// delivered is the newest sequence by entity whose settlement has returned.
	delivered map[string]int64
	// faults are what must not have happened.
	faults []string
	// granted counts the claims of attempts by schedule.
	granted int
}

func newHistory(t *testing.T, w *world, seed uint64) *history {
	t.Helper()
	return &history{line: w.line(t, latest()), seed: seed, entities: map[string]string{}, delivered: map[string]int64{}}
}

func (h *history) fault(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, what)
}

func (h *history) check(err error) bool {
	if err != nil && models.ErrorCode(err) != models.CodeConflict {
		h.fault(err.Error())
	}
	return err == nil
}

// step does one random thing.
func (h *history) step(t *testing.T, random *rand.Rand) {
	t.Helper()
	id := h.any(random)
	switch dice := random.IntN(20); {
	case id == "" || dice < 5:
		h.publish(t, random)
	case dice < 14:
		owner := h.owner
		if dice == 13 { // dies with the request
			owner = models.NewID()
		}
		h.attempt(t, owner, id, random)
	case dice < 16:
		h.byHand(t, id, random)
	case dice == 16:
		h.check(h.Cancel(t.Context(), id))
	case dice == 17:
		h.clock.Advance(store.Lease / 2)
		h.check(h.RenewWorker(t.Context(), h.owner))
	default:
		h.clock.Advance(time.Hour) // what failed is due
		h.check(h.RenewWorker(t.Context(), h.owner))
	}
}

func (h *history) any(random *rand.Rand) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ids) == 0 {
		return ""
	}
	return h.ids[len(h.ids)-1-random.IntN(min(len(h.ids), 12))]
}

// publish numbers the events of two entities itself, in any order, and leaves the third's to acceptance.
func (h *history) publish(t *testing.T, random *rand.Rand) {
	t.Helper()
	entity, sequence := "accepted", int64(0)
	if n := random.IntN(3); n > 0 {
		entity, sequence = "numbered "+number(n), 1+random.Int64N(40)
	}
	a := h.ordered(t, h.app, h.order, []*models.Subscription{h.sub}, about(entity, sequence))
	if !h.check(h.Accept(t.Context(), h.app.ID, []*models.Acceptance{a})) || !h.check(a.Err) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, a.Invocations[0].ID)
	h.entities[a.Invocations[0].ID] = entity
}

// floor is the newest sequence of the invocation's entity that is known to be delivered.
func (h *history) floor(id string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.delivered[h.entities[id]]
}

func (h *history) attempt(t *testing.T, owner, id string, random *rand.Rand) {
	t.Helper()
	floor := h.floor(id)
	gates, err := h.Claim(t.Context(), owner, []string{id})
	if !h.check(err) || gates[0].Verdict != models.VerdictGranted {
		return
	}
	h.mu.Lock()
	h.granted++
	h.mu.Unlock()
	if gates[0].Claim.Sequence < floor {
		h.fault("an attempt was granted for an older event: " + id)
	}
	if owner == h.owner {
		h.settle(t, gates[0].Claim, random)
	}
}

// byHand redelivers without force, which is no way around a newer event for what is open or abandoned.
func (h *history) byHand(t *testing.T, id string, random *rand.Rand) {
	t.Helper()
	command, err := h.Redeliver(t.Context(), id, false)
	if !h.check(err) {
		return
	}
	floor := h.floor(id)
	gate, err := h.ClaimRedelivery(t.Context(), h.owner, command)
	if !h.check(err) || gate.Verdict != models.VerdictGranted {
		return
	}
	if gate.Claim.Sequence < floor && (gate.Status.Open() || gate.Status == models.StatusAbandoned) {
		h.fault("a redelivery was granted for an older event: " + id)
	}
	h.settle(t, gate.Claim, random)
}

// settle ends a claim, some after others have had their turn, and some not at all.
func (h *history) settle(t *testing.T, c *models.Claim, random *rand.Rand) {
	t.Helper()
	result := h.world.delivered()
	switch n := random.IntN(8); {
	case n == 0: // the answer never came; the claim is given up when it is too old
		return
	case n < 3:
		h.publish(t, random)
		h.attempt(t, h.owner, h.any(random), random)
	case n < 6:
		result = h.refused(503)
	}
	settled, err := h.Settle(t.Context(), c.Settle(result))
	if !h.check(err) || !settled.Kept || settled.Status != models.StatusSucceeded {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	entity := h.entities[c.InvocationID]
	h.delivered[entity] = max(h.delivered[entity], c.Sequence)
}

// finish asks for everything once more: what is older than what was delivered is not open any more.
func (h *history) finish(t *testing.T) {
	t.Helper()
	h.clock.Advance(time.Hour)
	h.pass(t, 3*time.Minute, h.owner) // a claim without a word is given up
	_, err := h.Claim(t.Context(), h.owner, h.ids)
	require.NoError(t, err)
	require.Empty(t, h.faults, "seed %d", h.seed)
	require.NotZero(t, h.granted, "seed %d", h.seed)
	require.NotEmpty(t, h.delivered, "seed %d", h.seed)
	for _, id := range h.ids {
		row := h.invocation(t, id)
		if *row.Sequence < h.floor(id) {
			require.False(t, row.Status.Open(), "seed %d: %s is %s", h.seed, id, row.Status)
		}
		require.Equal(t, row.Status == models.StatusAbandoned, row.AbandonedBy != nil, "seed %d", h.seed)
	}
}
