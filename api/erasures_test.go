package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestAnErasureIsAcceptedShownAndListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	body := `{"application_id":"` + app + `","entity_id":"customer 7","reason":"ticket 12"}`
	made := w.op("POST", "/v1/erasures", body).is(202)
	require.Equal(t, []any{app, "customer 7", "ticket 12", "pending", nil, nil},
		of(made, "application_id", "entity_id", "reason", "state", "started_at", "finished_at"))
	require.Equal(t, models.EntityDigest(app, "customer 7"), made["entity_digest"])
	require.Len(t, made["removed"], 6)
	id := made["id"].(string)
	require.Equal(t, made, w.op("GET", "/v1/erasures/"+id, "").is(200))
	w.op("GET", "/v1/applications/"+app, "").is(200)

	whole := w.op("POST", "/v1/erasures", `{"application_id":"`+app+`","reason":"they left"}`).is(202)
	require.Equal(t, []any{nil, nil}, of(whole, "entity_id", "entity_digest"))
	w.op("GET", "/v1/applications/"+app, "").problem(404, models.CodeNotFound)
	w.op("POST", "/v1/erasures", `{"application_id":"`+app+`","reason":"again"}`).is(202)

	found := func(query string) int { return len(w.op("GET", "/v1/erasures"+query, "").is(200)["items"].([]any)) }
	require.Equal(t, 3, found(""))
	require.Equal(t, 3, found("?application_id="+app))
	require.Equal(t, 1, found("?application_id="+app+"&entity_id=customer%207"))
	require.Zero(t, found("?application_id="+models.NewID()))

	entry := w.entries("?action=create-erasure")[2]
	require.Equal(t, []any{app, "erasure", id}, of(entry, "application_id", "subject_type", "subject_id"))
	require.Equal(t, map[string]any{"application_id": app, "entity_id": "***", "reason": "ticket 12"}, entry["detail"])
}

func TestAnErasureThatCannotBeMeantIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	app := w.application("standard", "")
	for body, place := range map[string]string{
		`{"reason":"r"}`:                                                           "application_id",
		`{"application_id":"` + app + `"}`:                                         "reason",
		`{"application_id":"` + app + `","reason":""}`:                             "reason",
		`{"application_id":"1","reason":"r"}`:                                      "application_id",
		`{"application_id":"` + models.NewID() + `","reason":"r"}`:                 "application_id",
		`{"application_id":"` + app + `","reason":"r","entity_id":null}`:           "entity_id",
		`{"application_id":"` + app + `","reason":"r","entity_id":""}`:             "entity_id",
		`{"application_id":"` + app + `","reason":"r","tenant":"` + app + `"}`:     "tenant",
		`{"application_id":"` + app + `","reason":"r","state":"completed"}`:        "state",
		`{"application_id":"` + app + `","reason":"r","entity_id":["a"]}`:          "entity_id",
		`{"application_id":"` + app + `","reason":"r","removed":{"events":"all"}}`: "removed",
	} {
		w.op("POST", "/v1/erasures", body).problem(422, models.CodeValidation, place)
	}
	require.Empty(t, w.op("GET", "/v1/erasures", "").is(200)["items"])
	w.op("GET", "/v1/applications/"+app, "").is(200)
	w.op("GET", "/v1/erasures?entity_id=x", "").problem(422, models.CodeValidation, "application_id")
	w.op("GET", "/v1/erasures?application_id=x", "").problem(422, models.CodeValidation, "application_id")
}
