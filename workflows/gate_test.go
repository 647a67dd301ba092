package workflows_test

import (
	"context"
	"sync"
	"time"

	"github.com/posthorn/posthorn/models"
)

// gate is the database as an activity sees it: the rules of internal/store's gate over rows in memory.
type gate struct {
	mu       sync.Mutex
	now      func() time.Time
	rows     map[string]*row
	commands map[string]*command
	tokens   int
	// queue are the ids of one FIFO queue, the head first.
	queue []string
	// fail is asked before every call, by the method's name; an error is the database's.
	fail func(method string) error
	// asked is called with every verdict, after it was made and before the caller hears of it.
	asked func(models.Gate)
}

// row is an invocation. Its zero value, with a policy, is due.
type row struct {
	id       string
	status   models.InvocationStatus
	spec     *models.Spec
	attempts int
	policy   int
	first    *time.Time
	next     time.Time
	// queued puts it into the gate's queue.
	queued bool
	// parked makes the gate answer so until somebody clears it.
	parked bool
	// token, owner and redelivery are the claim on it.
	token, owner, redelivery string
	lastError                string
	log                      []models.Settlement
}

type command struct {
	invocation string
	settled    bool
}

func newGate(now func() time.Time) *gate {
	return &gate{now: now, rows: map[string]*row{}, commands: map[string]*command{}}
}

func (g *gate) Claim(_ context.Context, owner string, ids []string) ([]models.Gate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.failure("Claim"); err != nil {
		return nil, err
	}
	var answers []models.Gate
	for _, id := range ids {
		r, ok := g.rows[id]
		if !ok {
			continue
		}
		answer := g.decide(owner, r)
		if g.asked != nil {
			g.asked(answer)
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func (g *gate) decide(owner string, r *row) models.Gate {
	answer := models.Gate{InvocationID: r.id, Status: r.status, LastError: r.lastError}
	switch {
	case !r.status.Open():
		answer.Verdict = models.VerdictClosed
		if r.queued && len(g.queue) > 0 {
			answer.Next = g.queue[0]
		}
	case r.token != "":
		answer.Verdict, answer.Wait = models.VerdictHeld, time.Second
	case r.queued && g.queue[0] != r.id:
		answer.Verdict = models.VerdictParked
	case r.next.After(g.now()):
		answer.Verdict, answer.Wait = models.VerdictNotDue, r.next.Sub(g.now())
	case r.parked:
		answer.Verdict = models.VerdictParked
	default:
		answer.Verdict, answer.Claim = models.VerdictGranted, g.grant(owner, r, "")
	}
	return answer
}

func (g *gate) ClaimRedelivery(_ context.Context, owner, id string) (models.Gate, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.failure("ClaimRedelivery"); err != nil {
		return models.Gate{}, err
	}
	c, ok := g.commands[id]
	if !ok {
		return models.Gate{}, models.NotFound("command")
	}
	r := g.rows[c.invocation]
	answer := models.Gate{InvocationID: r.id, Status: r.status, LastError: r.lastError}
	switch {
	case c.settled:
		answer.Verdict = models.VerdictClosed
	case r.token != "":
		answer.Verdict, answer.Wait = models.VerdictHeld, 250*time.Millisecond
	default:
		answer.Verdict, answer.Claim = models.VerdictGranted, g.grant(owner, r, id)
	}
	return answer, nil
}

func (g *gate) grant(owner string, r *row, redelivery string) *models.Claim {
	g.tokens++
	r.token, r.owner, r.redelivery = "token-"+time.Duration(g.tokens).String(), owner, redelivery
	trigger := models.TriggerScheduled
	if redelivery != "" {
		trigger = models.TriggerRedeliver
	}
	key := ""
	if r.queued {
		key = "queue"
	}
	return &models.Claim{
		OrderingKey: key, Token: r.token, InvocationID: r.id, SubscriptionID: "sub of " + r.id, Number: r.attempts + 1,
		Trigger: trigger, RedeliveryID: redelivery,
		Spec: r.spec, PolicyAttempts: r.policy, FirstAttemptAt: r.first,
	}
}

func (g *gate) Settle(_ context.Context, s models.Settlement) (models.Settled, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.failure("Settle"); err != nil {
		return models.Settled{}, err
	}
	r := g.rows[s.Claim.InvocationID]
	if r.token != s.Claim.Token {
		return models.Settled{}, nil
	}
	r.token, r.owner, r.redelivery = "", "", ""
	r.attempts = s.Claim.Number
	r.log = append(r.log, s)
	if r.first == nil {
		r.first = &s.Result.StartedAt
	}
	if s.Result.Error != nil {
		r.lastError = s.Result.Error.Message
	}
	g.settleRow(r, s)
	settled := models.Settled{Kept: true, Status: s.Status}
	g.release(r, s, &settled)
	return settled, nil
}

func (g *gate) settleRow(r *row, s models.Settlement) {
	if s.Claim.Trigger == models.TriggerRedeliver {
		g.commands[s.Claim.RedeliveryID].settled = true
		if s.Status != "" {
			r.status = s.Status
		}
		return
	}
	r.policy++
	if r.status.Open() {
		r.status = s.Status
		if s.NextAttemptAt != nil {
			r.next = *s.NextAttemptAt
		}
	}
}

// release takes a head that has ended out of the queue and answers for the next, as internal/store does.
func (g *gate) release(r *row, s models.Settlement, settled *models.Settled) {
	if !r.queued || r.status.Open() || len(g.queue) == 0 || g.queue[0] != r.id {
		return
	}
	g.queue = g.queue[1:]
	if len(g.queue) == 0 {
		return
	}
	if s.Workflow == "" {
		settled.Released = true
		return
	}
	settled.Next = g.queue[0]
	if s.Owner != "" {
		answer := g.decide(s.Owner, g.rows[settled.Next])
		settled.Gate = &answer
	}
}

func (g *gate) failure(method string) error {
	if g.fail == nil {
		return nil
	}
	return g.fail(method)
}

// change alters a row as another part of Posthorn would.
func (g *gate) change(id string, alter func(*row)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	alter(g.rows[id])
}

// read returns a row as it is now.
func (g *gate) read(id string) row {
	g.mu.Lock()
	defer g.mu.Unlock()
	return *g.rows[id]
}

// command commits a wish to redeliver.
func (g *gate) command(id, invocation string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commands[id] = &command{invocation: invocation}
}
