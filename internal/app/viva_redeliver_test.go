package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

func TestVIV20_AMessageIsRedelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t)
		v.webhook(receiver, 1796)
		id := v.fired()
		before := v.messageBecomes(id, 1, 1)
		v.call("POST", messages+"/"+id+":redeliver", nil, 202)
		after := v.messageBecomes(id, 1, 2)
		v.call("POST", messages+"/"+id+"%3Aredeliver", nil, 202)
		v.messageBecomes(id, 1, 3)
		sent := receiver.awaitPosts(3)
		require.Equal(t, sent[0].body, sent[1].body)
		require.Equal(t, sent[0].header.Get("webhook-id"), sent[2].header.Get("webhook-id"))
		require.Equal(t, before["messageId"], after["messageId"])
		deliveries := after["deliveries"].([]any)
		require.Equal(t, before["deliveries"].([]any)[0], deliveries[0])
		require.NotEqual(t, deliveries[0].(map[string]any)["deliveryId"], deliveries[1].(map[string]any)["deliveryId"])

		v.call("POST", messages+"/"+models.NewID()+":redeliver", nil, 404)
		v.call("POST", messages+"/abc:redeliver", nil, 400)
		v.call("GET", messages+"/"+id+":redeliver", nil, 405)
		v.call("POST", messages+"/"+id, nil, 405)
		w.viva("").call("POST", messages+"/"+id+":redeliver", nil, 404)
		receiver.quiet(100 * time.Millisecond)
	})
}

func TestVIV21_RedeliveryInAnyStateAndASuccessEndsTheRetries(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(""), newSink(t, status(500)...)
		v.webhook(receiver, 1796)
		id := v.fired()
		waiting := v.messageBecomes(id, 2, 1)
		require.NotNil(t, waiting["nextRetry"])
		v.redeliver(id)
		require.Equal(t, waiting["nextRetry"], v.messageBecomes(id, 2, 2)["nextRetry"], "a failure leaves the schedule")

		receiver.answers(status(200)...)
		v.redeliver(id)
		require.Nil(t, v.messageBecomes(id, 1, 3)["nextRetry"])
		w.workflowCloses(w.invocation(id)["workflow_id"].(string)) // nothing waits for the hour to pass any more
		receiver.answers(status(500)...)
		v.redeliver(id)
		require.NotNil(t, v.messageBecomes(id, 1, 4)["delivered"], "a delivery is not undone")

		exhausted := w.viva(every(20, 1))
		exhausted.webhook(receiver, 1796)
		id = exhausted.fired()
		w.becomes(id, "failed")
		receiver.answers(status(200)...)
		exhausted.redeliver(id)
		require.Nil(t, exhausted.messageBecomes(id, 1, 2)["nextRetry"])
	})
}

func TestVIV20_WhatANewerEventOvertookIsNotRedelivered(t *testing.T) {
	t.Parallel()
	onEach(t, func(w *world) {
		t := w.t
		v, receiver := w.viva(`{"ordering":"latest_wins"}`), newSink(t, status(500, 200)...)
		v.webhook(receiver, 1796)
		const event = `{"type":1796,"entity_id":"776027772607","payload":{}}`
		_, older := w.published(v.app, event)
		v.messageBecomes(older[0], 2, 1)
		_, newer := w.published(v.app, event)
		v.messageBecomes(newer[0], 1, 1)
		w.becomes(older[0], "abandoned")
		require.Nil(t, v.message(older[0])["nextRetry"])
		require.Equal(t, "conflict", v.call("POST", messages+"/"+older[0]+":redeliver", nil, 409)["code"])
	})
}
