package store

import (
	"math"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// room is what a subscription takes of what is due.
type room struct {
	ID      string
	Failing bool
	// InFlight counts the attempts of a failing one, in all processes; flights those of this process, which has room for
	// most.
	InFlight      int
	flights, most int
	// Last is the last slot of its line; nil = nothing waits.
	Last *int64
}

// take reports whether there is room for one more. The gate has the last word.
func (r *room) take(first bool) bool {
	if r == nil {
		return true
	}
	if r.flights >= r.most || r.Failing && first && r.InFlight >= failingInFlight {
		return false
	}
	r.flights++
	r.InFlight++
	return true
}

// holdBack puts what its subscription does not take now at the end of that one's line, and returns the rest: what is
// for a failing one, or for one of which this process carries no more. The gate would refuse it as well, but each of
// thousands would cost a workflow every time that it asks.
func (s *Store) holdBack(tx *gorm.DB, now time.Time, rows []taken) ([]models.Dispatch, error) {
	slices.SortFunc(rows, func(a, b taken) int {
		if order := a.Due.Compare(b.Due); order != 0 {
			return order
		}
		return strings.Compare(a.InvocationID, b.InvocationID)
	})
	rooms, err := s.rooms(tx, now, rows)
	if err != nil {
		return nil, err
	}
	held := map[string][]string{}
	left := make([]models.Dispatch, 0, len(rows))
	for _, row := range rows {
		if row.Loose && !rooms[row.SubscriptionID].take(row.First) {
			held[row.SubscriptionID] = append(held[row.SubscriptionID], row.InvocationID)
		} else {
			left = append(left, row.Dispatch)
		}
	}
	for id, invocations := range held {
		end := line{Last: rooms[id].Last}.end(now.Add(parkedWait), parkedWait)
		if err := lineUpAll(tx, invocations, end); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// rooms looks after those of the rows' subscriptions that do not take all.
func (s *Store) rooms(tx *gorm.DB, now time.Time, rows []taken) (map[string]*room, error) {
	var ids, full []string
	for _, row := range rows {
		if !row.Loose || slices.Contains(ids, row.SubscriptionID) {
			continue
		}
		ids = append(ids, row.SubscriptionID)
		if flights, most := s.permits.count(row.SubscriptionID); flights >= most {
			full = append(full, row.SubscriptionID)
		}
	}
	if len(ids) == 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	var found []room
	live := s.living("", now)
	err := tx.Raw("SELECT s.id, s.failing, (SELECT COUNT(*) FROM invocations WHERE subscription_id = s.id"+flyingSQL+
		") AS in_flight, (SELECT MAX(slot) FROM invocations WHERE subscription_id = s.id AND dispatch_after = slot) AS last"+
		" FROM subscriptions s WHERE s.id IN ? AND (s.failing OR s.id IN ?) AND s.enabled AND s.verified AND NOT s.gone",
		micros(live.claimed), micros(live.renewed), ids, full).Scan(&found).Error
	rooms := make(map[string]*room, len(found))
	for i := range found {
		r := &found[i]
		if r.flights, r.most = s.permits.count(r.ID); r.Failing {
			r.most = failingFlights
		}
		rooms[r.ID] = r
	}
	return rooms, err
}

// lineUpAll gives invocations the slots from the given one on, those first that have waited longest.
func lineUpAll(tx *gorm.DB, ids []string, from time.Time) error {
	return tx.Exec("UPDATE invocations SET slot = next.place, dispatch_after = next.place FROM"+
		" (SELECT id, CAST(? AS bigint) + CAST(? AS bigint) * (ROW_NUMBER() OVER (ORDER BY COALESCE(slot, ?), id) - 1) AS place"+
		" FROM invocations WHERE id IN ?) AS next WHERE invocations.id = next.id",
		micros(from), parkedWait.Microseconds(), int64(math.MaxInt64), ids).Error
}
