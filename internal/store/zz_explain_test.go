package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/testpg"
)

func TestZZ(t *testing.T) {
	s := open(t, testpg.URL(t), time.Now)
	require.NoError(t, s.Migrate(t.Context()))
	db, _ := s.SQL()
	must := func(q string) {
		_, err := db.Exec(q)
		require.NoError(t, err)
	}
	explain := func(q string) {
		fmt.Println("==", q)
		rows, err := db.Query("EXPLAIN " + q)
		require.NoError(t, err)
		for rows.Next() {
			var l string
			rows.Scan(&l)
			fmt.Println(l)
		}
		rows.Close()
	}
	a := "'01963b6e-0000-7000-8000-000000000000'"
	must("INSERT INTO applications (id, name, profile, environment, external_id, handshake_key, created_at, updated_at) VALUES (" + a + ", 'n', 'p', 'demo', 'e', 'k', 1, 1)")
	must("INSERT INTO subscriptions (id, application_id,url,event_types,enabled,verified,gone,consecutive_failures,failing,public_key,sealed,created_at,updated_at) SELECT gen_random_uuid()," + a + ",'u','[]',true,true,false,0,false,'','',1,1 FROM generate_series(1,200)")
	must("INSERT INTO specs VALUES ('x','x')")
	must("INSERT INTO invocations (id,application_id,subscription_id,event_type,status,spec_digest,attempts,policy_attempts,url,workflow_id,parked,overdue,created_at,updated_at,next_attempt_at,dispatch_after) SELECT gen_random_uuid()," + a + ",(SELECT id FROM subscriptions LIMIT 1),'t',CASE WHEN g<9 THEN 'pending' ELSE 'succeeded' END,'x',0,0,'u','w',false,0,1,1,CASE WHEN g%100<2 THEN g END,CASE WHEN g<9 THEN g END FROM generate_series(1,4) g")
	must("ANALYZE")
	for _, limit := range []int{1, 200} {
		explain(fmt.Sprintf("UPDATE invocations SET dispatch_after = 5 WHERE id IN (SELECT id FROM invocations WHERE dispatch_after <= 1000000 ORDER BY dispatch_after, id LIMIT %d FOR NO KEY UPDATE SKIP LOCKED) RETURNING id", limit))
	}
	explain("UPDATE invocations SET dispatch_after = 1, overdue = overdue + 1 WHERE id IN (SELECT id FROM invocations WHERE next_attempt_at <= CAST(1000000 AS bigint) - CAST(30000000 AS bigint) * overdue AND next_attempt_at <= 1000000 AND status IN ('pending', 'retrying') AND dispatch_after IS NULL AND NOT parked AND (claim_token IS NULL OR claim_owner NOT IN (SELECT id FROM workers WHERE renewed_at > 4)) ORDER BY next_attempt_at LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED)")
	explain("UPDATE invocations SET status='cancelled' WHERE subscription_id = (SELECT id FROM subscriptions LIMIT 1) AND status IN ('pending', 'queued', 'retrying')")
	must("SET enable_hashjoin=off")
	must("SET enable_mergejoin=off")
	must("SET enable_hashagg=off")
	explain("UPDATE invocations SET dispatch_after = 5 WHERE id IN (SELECT id FROM invocations WHERE dispatch_after <= 1000000 ORDER BY dispatch_after, id LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED) RETURNING id")
}
