package api

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// number reads a number of an answer.
func number(body map[string]any, name string) string { return fmt.Sprint(body[name]) }

func TestAJobOfListedIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign := newTenant(w, ""), newTenant(w, "")
	path := "/v1/applications/" + own.app + "/redeliveries"
	before := w.wakes.n
	unknown := models.NewID()
	job := w.do(own.roles[models.RoleAdmin], "POST", path, fmt.Sprintf(
		`{"ids":[%q,%q,%q,"nonsense",%q],"rate":7}`, own.invocation, unknown, own.invocation, foreign.invocation)).is(202)

	require.Greater(t, w.wakes.n, before)
	require.Equal(t, "pending", job["state"])
	require.Equal(t, own.app, job["application_id"])
	require.Equal(t, "1", number(job, "matched"))
	require.Equal(t, "0", number(job, "done"))
	require.Equal(t, "7", number(job, "rate"))
	require.Equal(t, false, job["dry_run"])
	require.Nil(t, job["started_at"])
	require.Nil(t, job["finished_at"])
	absent := func(id string) any { return map[string]any{"id": id, "outcome": "not_found"} }
	require.Equal(t, []any{absent(unknown), absent("nonsense"), absent(foreign.invocation)}, job["results"])
	require.Equal(t, job, w.do(own.roles[models.RoleMember], "GET", "/v1/jobs/"+job["id"].(string), "").is(200))
}

func TestAJobOfAFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	settle(t, w, own.invocation, 500)
	w.event(own.app, `{"type":"loan.closed","payload":1}`)
	path := "/v1/applications/" + own.app + "/redeliveries"
	minute := time.Now().UTC().Add(time.Minute).Format(time.RFC3339)
	for filter, matched := range map[string]string{
		`{"status":"retrying"}`:                                      "1",
		`{"status":"failed"}`:                                        "0",
		`{"event_type":"loan.closed"}`:                               "1",
		`{"subscription_id":"` + own.sub + `"}`:                      "2",
		`{"subscription_id":"` + models.NewID() + `"}`:               "0",
		`{"after":"` + minute + `"}`:                                 "0",
		`{"before":"` + minute + `","status":"pending"}`:             "1",
		`{"after":"2020-01-01T00:00:00+02:00","status":"abandoned"}`: "0",
	} {
		job := w.op("POST", path, `{"dry_run":true,"filter":`+filter+`}`).is(202)
		require.Equal(t, matched, number(job, "matched"), filter)
		require.Equal(t, "completed", job["state"])
		require.Equal(t, "50", number(job, "rate"))
		require.NotNil(t, job["finished_at"])
		require.Contains(t, job, "results")
		require.Nil(t, job["results"])
	}
	require.Equal(t, "pending", w.op("POST", path, `{"filter":{"status":"retrying"}}`).is(202)["state"])
	require.Equal(t, "completed", w.op("POST", path, `{"filter":{"status":"failed"}}`).is(202)["state"], "nothing to do")
}

func TestAFilterWithoutMembersWasRefusedThoughEachIsOptional(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	newTenant(w, "")
	w.event(own.app, `{"type":"loan.closed","payload":1}`)
	path := "/v1/applications/" + own.app + "/redeliveries"
	for _, filter := range []string{
		`{}`, `{"subscription_id":null,"event_type":null,"status":null,"after":null,"before":null}`,
	} {
		counted := w.op("POST", path, `{"filter":`+filter+`,"dry_run":true}`).is(202)
		require.Equal(t, "2", number(counted, "matched"), "its own tenant's, all of them")
		require.Equal(t, "pending", w.op("POST", path, `{"filter":`+filter+`}`).is(202)["state"])
	}
}

func TestABadJobIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/applications/" + own.app + "/redeliveries"
	many := `{"ids":["` + strings.Repeat(`x","`, models.MaxJobIDs) + `x"]}`
	for body, location := range map[string]string{
		`{}`:                         "ids",
		`{"ids":null,"filter":null}`: "ids",
		`{"ids":[]}`:                 "ids",
		`{"ids":["a"],"filter":{"status":"failed"}}`: "ids",
		`{"ids":"a"}`: "ids",
		`{"ids":[1]}`: "ids[0]",
		`{"ids":["` + strings.Repeat("x", 129) + `"]}`: "ids[0]",
		many:                                  "ids",
		`{"filter":[]}`:                       "filter",
		`{"filter":{"status":"lost"}}`:        "filter.status",
		`{"filter":{"state":"failed"}}`:       "filter.state",
		`{"filter":{"subscription_id":"x"}}`:  "filter.subscription_id",
		`{"filter":{"event_type":"no type"}}`: "filter.event_type",
		`{"filter":{"after":"yesterday"}}`:    "filter.after",
		`{"ids":["a"],"rate":0}`:              "rate",
		`{"ids":["a"],"rate":1001}`:           "rate",
		`{"ids":["a"],"rate":1.5}`:            "rate",
		`{"ids":["a"],"dry_run":1}`:           "dry_run",
		`{"ids":["a"],"force":true}`:          "force",
	} {
		w.op("POST", path, body).problem(422, models.CodeValidation, location)
	}
	w.op("POST", path, "").problem(400, models.CodeMalformed)
	w.op("POST", path, `{"ids":[`).problem(400, models.CodeMalformed)
}

// The tags have numbers because tags cannot name constants.
func TestAJobsRateHasTheBoundsOfTheModel(t *testing.T) {
	t.Parallel()
	field, known := reflect.TypeFor[redeliveries]().FieldByName("Rate")
	require.True(t, known)
	require.Equal(t, strconv.Itoa(models.MaxJobRate), field.Tag.Get("maximum"))
	require.Equal(t, strconv.Itoa(models.DefaultJobRate), field.Tag.Get("default"))
}

func TestPauseResumeAndCancelAJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := newTenant(w, "")
	path := "/v1/jobs/" + own.job
	admin := own.roles[models.RoleAdmin]
	state := func(action string) any { return w.do(admin, "POST", path+"/"+action, "").is(202)["state"] }

	require.Equal(t, "pending", state("resume"))
	require.Equal(t, "paused", state("pause"))
	require.Equal(t, "paused", state("pause"), "it is so already")
	require.Equal(t, "pending", state("resume"))
	before := w.wakes.n
	require.Equal(t, "cancelled", state("cancel"))
	require.Greater(t, w.wakes.n, before)
	for _, action := range []string{"pause", "resume", "cancel"} {
		w.do(admin, "POST", path+"/"+action, "{}").problem(409, models.CodeConflict)
	}
	ended := w.op("GET", path, "").is(200)
	require.NotNil(t, ended["finished_at"])
	require.Equal(t, []any{}, ended["results"])
	w.do(admin, "POST", path+"/pause", `{"now":true}`).problem(422, models.CodeValidation, "now")
	w.do(own.roles[models.RoleMember], "POST", path+"/pause", "").problem(403, models.CodeForbidden)
}
