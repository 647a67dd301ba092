package store

import (
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// orderingKey is what is kept of those invocations that are in order with each other; see models.Ordering.KeyOf.
//
// Accepting, claiming, settling and cancelling an ordered invocation lock its key's row before any invocation's, and
// several keys in the order of their ids: so they wait for each other on the key alone, commit order is queue order,
// and none of them sees a queue that another is changing.
type orderingKey struct {
	ID             string
	SubscriptionID string
	// LastPosition is the last one given out in this FIFO queue.
	LastPosition int64
	// Head is the one invocation of the queue that may be sent; nil = nothing waits.
	Head *string
	// DeliveredSequence is that of the newest event delivered under latest-wins, DeliveredBy its invocation; nil = none.
	DeliveredSequence *int64
	DeliveredBy       *string

	// hadHead is whether there was a head when the key was read.
	hadHead bool
}

// keysPerStatement bounds the parameters of one statement.
const keysPerStatement = 500

// takeKeys locks the ordering keys of what is about to be accepted, makes those that are new, and sets as many
// positions of each aside as it may need. Duplicates leave theirs unused.
func takeKeys(tx *gorm.DB, batch []Acceptance) (map[string]*orderingKey, error) {
	needs := map[string]*orderingKey{}
	for i := range batch {
		for _, invocation := range batch[i].Invocations {
			if invocation.OrderingKey != nil && batch[i].Err == nil {
				need(needs, invocation)
			}
		}
	}
	if len(needs) == 0 {
		return nil, nil //nolint:nilnil // nothing is ordered
	}
	wanted := make([]*orderingKey, 0, len(needs))
	for _, key := range needs {
		wanted = append(wanted, key)
	}
	slices.SortFunc(wanted, func(a, b *orderingKey) int { return strings.Compare(a.ID, b.ID) })
	taken := make(map[string]*orderingKey, len(wanted))
	for part := range slices.Chunk(wanted, keysPerStatement) {
		if err := upsertKeys(tx, part, taken); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

func need(needs map[string]*orderingKey, invocation *models.Invocation) {
	key := needs[*invocation.OrderingKey]
	if key == nil {
		key = &orderingKey{ID: *invocation.OrderingKey, SubscriptionID: invocation.SubscriptionID}
		needs[key.ID] = key
	}
	if invocation.Ordering == models.OrderingFIFO {
		key.LastPosition++
	}
}

// upsertKeys adds what it reads to taken. LastPosition is then the last one given out before.
func upsertKeys(tx *gorm.DB, wanted []*orderingKey, taken map[string]*orderingKey) error {
	args := make([]any, 0, 3*len(wanted))
	for _, key := range wanted {
		args = append(args, key.ID, key.SubscriptionID, key.LastPosition)
	}
	var rows []orderingKey
	err := tx.Raw("INSERT INTO ordering_keys (id, subscription_id, last_position) VALUES "+
		strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(wanted)), ", ")+
		" ON CONFLICT (id) DO UPDATE SET last_position = ordering_keys.last_position + excluded.last_position"+
		" RETURNING *", args...).Scan(&rows).Error
	if err != nil {
		return err
	}
	for i := range rows {
		taken[rows[i].ID] = &rows[i]
		rows[i].hadHead = rows[i].Head != nil
	}
	for _, key := range wanted {
		taken[key.ID].LastPosition -= key.LastPosition
	}
	return nil
}

// place gives an invocation that is being accepted its place among those it is in order with: at the end of its
// queue, or nowhere when a newer event was delivered already.
func (k *orderingKey) place(i *models.Invocation) {
	switch {
	case i.Status != models.StatusPending: // ended as it was accepted
	case i.Ordering == models.OrderingFIFO:
		k.LastPosition++
		position := k.LastPosition
		i.Position = &position
		if k.Head != nil {
			i.Status, i.NextAttemptAt, i.DispatchAfter = models.StatusQueued, nil, nil
			return
		}
		k.Head = &i.ID
	case k.overtook(*i.Sequence):
		reason := models.ReasonSuperseded
		i.Status, i.Reason, i.AbandonedBy = models.StatusAbandoned, &reason, k.DeliveredBy
		i.NextAttemptAt, i.DispatchAfter = nil, nil
	}
}

// overtook reports whether an event newer than the one with this sequence was delivered.
func (k *orderingKey) overtook(sequence int64) bool {
	return k.DeliveredSequence != nil && *k.DeliveredSequence > sequence
}

// storeHeads notes the heads of queues that were empty.
func storeHeads(tx *gorm.DB, keys map[string]*orderingKey) error {
	for _, key := range keys {
		if key.hadHead || key.Head == nil {
			continue
		}
		if err := setHead(tx, key); err != nil {
			return err
		}
	}
	return nil
}

func setHead(tx *gorm.DB, key *orderingKey) error {
	return tx.Exec("UPDATE ordering_keys SET head = ? WHERE id = ?", key.Head, key.ID).Error
}

// lockKeys locks the ordering keys of the invocations that the condition names, and returns them by id. A key's
// invocations never change to another.
func (s *Store) lockKeys(tx *gorm.DB, condition string, args ...any) (map[string]*orderingKey, error) {
	var rows []orderingKey
	err := tx.Raw("SELECT * FROM ordering_keys WHERE id IN (SELECT ordering_key FROM invocations WHERE "+condition+
		" AND ordering_key IS NOT NULL) ORDER BY "+s.keyOrder()+s.forUpdate("ordering_keys"), args...).Scan(&rows).Error
	keys := make(map[string]*orderingKey, len(rows))
	for i := range rows {
		keys[rows[i].ID] = &rows[i]
	}
	return keys, err
}

// keyOrder sorts ordering keys as takeKeys does, byte by byte, whatever language the database sorts by.
func (s *Store) keyOrder() string {
	if s.postgres() {
		return `id COLLATE "C"`
	}
	return "id"
}

// lockKey locks one ordering key.
func (s *Store) lockKey(tx *gorm.DB, id string) (*orderingKey, error) {
	var key orderingKey
	err := takeRaw(tx, &key, "SELECT * FROM ordering_keys WHERE id = ?"+s.forUpdate("ordering_keys"), id)
	return &key, err
}
