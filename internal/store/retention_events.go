package store

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"github.com/posthorn/posthorn/models"
)

// busySQL tells which invocations stay: open, touched since, or with an attempt in flight. See purge.busyArgs.
const busySQL = "(" + openSQL + " OR updated_at >= ? OR claim_token IS NOT NULL AND (claimed_at >= ? OR claimed_at >= ?" +
	" AND claim_owner IN (SELECT id FROM workers WHERE renewed_at > ?)))"

// busyArgs: a claim lives as long as the gate says, see round.held.
func (p *purge) busyArgs() []any {
	now := p.store.now()
	return []any{p.before, p.before, micros(now.Add(-maxClaim)), micros(now.Add(-Lease))}
}

// events removes the next events that nothing happens to any more.
func (p *purge) events(
	ctx context.Context, from models.PurgeCursor,
) (removed int, next models.PurgeCursor, more bool, err error) {
	rows, err := p.page(ctx, from, "events WHERE")
	if err != nil || len(rows) == 0 {
		return 0, from, false, err
	}
	ended, seen, err := p.ended(p.store.read(ctx), rows)
	if err != nil {
		return 0, from, false, err
	}
	next, more = rows[seen-1].after(), seen < len(rows) || len(rows) == p.limit
	if len(ended) == 0 {
		return 0, next, more, nil
	}
	err = p.store.writeRelaxed(ctx, func(tx *gorm.DB) error {
		removed, err = p.removeEvents(tx, ended)
		return err
	})
	return removed, next, more, err
}

// fanOut is how many invocations an event led to, and how many of them stay.
type fanOut struct {
	EventID string
	N, Busy int
}

func (p *purge) fanOuts(tx *gorm.DB, events []string) (map[string]fanOut, error) {
	var rows []fanOut
	err := tx.Raw("SELECT event_id, COUNT(*) AS n, COUNT(CASE WHEN "+busySQL+" THEN 1 END) AS busy FROM invocations"+
		" WHERE event_id IN ? GROUP BY event_id", append(p.busyArgs(), events)...).Scan(&rows).Error
	byEvent := make(map[string]fanOut, len(rows))
	for _, row := range rows {
		byEvent[row.EventID] = row
	}
	return byEvent, err
}

// ended picks those without busy invocations, up to purgeRows invocations or one event; seen tells how many rows were
// looked at.
func (p *purge) ended(tx *gorm.DB, rows []aged) (ended []string, seen int, err error) {
	fans, err := p.fanOuts(tx, idsOf(rows))
	total := 0
	for i, row := range rows {
		fan := fans[row.ID]
		if fan.Busy > 0 {
			continue
		}
		if total += fan.N; total > purgeRows && len(ended) > 0 {
			return ended, i, err
		}
		ended = append(ended, row.ID)
	}
	return ended, len(rows), err
}

// removeEvents locks events, then ordering keys, then invocations, and removes those events that it got hold of as a
// whole and that are still ended.
func (p *purge) removeEvents(tx *gorm.DB, ids []string) (int, error) {
	var events []string
	err := tx.Raw("SELECT id FROM events WHERE id IN ? ORDER BY id"+p.skipLockedRows(), ids).Scan(&events).Error
	if err != nil || len(events) == 0 {
		return 0, err
	}
	keys, err := p.lockKeys(tx, events)
	if err != nil {
		return 0, err
	}
	invocations, err := p.lockInvocations(tx, "event_id IN ?", events)
	if err != nil {
		return 0, err
	}
	fans, err := p.fanOuts(tx, events)
	if err != nil {
		return 0, err
	}
	whole, parts := wholeEvents(events, fans, keys, invocations)
	if len(whole) == 0 {
		return 0, nil
	}
	if err := p.removeInvocations(tx, parts); err != nil {
		return 0, err
	}
	for _, statement := range []string{"DELETE FROM event_versions WHERE event_id IN ?", "DELETE FROM events WHERE id IN ?"} {
		if err := tx.Exec(statement, whole).Error; err != nil {
			return 0, err
		}
	}
	p.gone.Events += len(whole)
	return len(whole), p.removeKeys(tx, parts)
}

// lockKeys locks the ordering keys of the events, but for those that others hold.
func (p *purge) lockKeys(tx *gorm.DB, events []string) (map[string]bool, error) {
	var ids []string
	err := tx.Raw("SELECT id FROM ordering_keys WHERE id IN (SELECT ordering_key FROM invocations WHERE event_id IN ?"+
		" AND ordering_key IS NOT NULL) ORDER BY "+p.store.keyOrder()+p.skipLockedRows(), events).Scan(&ids).Error
	locked := make(map[string]bool, len(ids))
	for _, id := range ids {
		locked[id] = true
	}
	return locked, err
}

// lockInvocations locks those that are not busy and that no command waits for, or was carried out on since. The
// commands are looked at once the rows are locked: nobody makes one without a lock on its invocation.
func (p *purge) lockInvocations(tx *gorm.DB, condition string, ids []string) ([]models.Invocation, error) {
	var rows []models.Invocation
	err := tx.Raw("SELECT id, event_id, subscription_id, ordering_key FROM invocations WHERE "+condition+" AND NOT "+busySQL+
		" ORDER BY id"+p.skipLockedRows(), append([]any{ids}, p.busyArgs()...)...).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var commanded []string
	err = tx.Raw("SELECT DISTINCT invocation_id FROM commands WHERE invocation_id IN ?"+
		" AND (settled_at IS NULL OR settled_at >= ?)", invocationIDs(rows), p.before).Scan(&commanded).Error
	return slices.DeleteFunc(rows, func(i models.Invocation) bool { return slices.Contains(commanded, i.ID) }), err
}

func invocationIDs(rows []models.Invocation) []string {
	ids := make([]string, 0, len(rows))
	for i := range rows {
		ids = append(ids, rows[i].ID)
	}
	return ids
}

// wholeEvents are the events all of whose invocations are given, with their keys; parts are those invocations.
func wholeEvents(
	events []string, fans map[string]fanOut, keys map[string]bool, invocations []models.Invocation,
) (whole []string, parts []models.Invocation) {
	got := make(map[string]int, len(events))
	for i := range invocations {
		if key := invocations[i].OrderingKey; key == nil || keys[*key] {
			got[*invocations[i].EventID]++
		}
	}
	complete := func(event string) bool { return got[event] == fans[event].N }
	for _, event := range events {
		if complete(event) {
			whole = append(whole, event)
		}
	}
	for i := range invocations {
		if complete(*invocations[i].EventID) {
			parts = append(parts, invocations[i])
		}
	}
	return whole, parts
}

// removeInvocations removes locked invocations with their log entries and commands.
func (p *purge) removeInvocations(tx *gorm.DB, rows []models.Invocation) error {
	if len(rows) == 0 {
		return nil
	}
	ids := invocationIDs(rows)
	if p.unlist {
		if err := p.unlistFromJobs(tx, ids); err != nil {
			return err
		}
	}
	attempts := tx.Exec("DELETE FROM attempts WHERE invocation_id IN ?", ids)
	if attempts.Error != nil {
		return attempts.Error
	}
	p.gone.Attempts += int(attempts.RowsAffected)
	p.gone.Invocations += len(ids)
	for _, statement := range []string{
		"DELETE FROM commands WHERE invocation_id IN ?", "DELETE FROM invocations WHERE id IN ?",
	} {
		if err := tx.Exec(statement, ids).Error; err != nil {
			return err
		}
	}
	return nil
}

// removeKeys removes what is known of the order of entities of which nothing is left. The key of a whole subscription
// stays with it, so that the positions of its queue keep rising.
func (p *purge) removeKeys(tx *gorm.DB, removed []models.Invocation) error {
	ids := map[string]bool{}
	for i := range removed {
		if key := removed[i].OrderingKey; key != nil && *key != removed[i].SubscriptionID {
			ids[*key] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list := make([]string, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	return tx.Exec("DELETE FROM ordering_keys WHERE id IN ? AND head IS NULL"+
		" AND NOT EXISTS (SELECT 1 FROM invocations WHERE subscription_id = ordering_keys.subscription_id"+
		" AND ordering_key = ordering_keys.id)", list).Error
}
