package ingest

import (
	"errors"
	"fmt"
	"iter"

	"github.com/posthorn/posthorn/models"
)

// payloads yields what a publication carries, each with the place that its members are below: "" for a plain payload,
// `versions[1]` for a version's.
func payloads(pub *Publication) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if len(pub.Versions) == 0 {
			yield("", pub.Payload)
			return
		}
		for i, v := range pub.Versions {
			if !yield(fmt.Sprintf("versions[%d]", i), v.Payload) {
				return
			}
		}
	}
}

func checkPayloads(pub *Publication) error {
	for place, payload := range payloads(pub) {
		err := models.CheckPayload(payload)
		if e, ok := errors.AsType[*models.Error](err); ok && place != "" {
			return models.Errorf(e.Code, "%s: %s", place, e.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkVersions looks whether there may be versions, and whether these are the event type's.
func (p *plan) checkVersions(eventType models.EventType, pub *Publication) error {
	var f models.Faults
	if !p.profile.Versions.Required {
		f.Add("versions", "profile %s has no versions", p.profile.Name)
		return f.Err()
	}
	if len(pub.Versions) > models.MaxEventVersions {
		f.Add("versions", "must not list more than %d", models.MaxEventVersions)
		return f.Err()
	}
	seen := map[string]bool{}
	for i, v := range pub.Versions {
		place := fmt.Sprintf("versions[%d].version", i)
		switch {
		case seen[v.Version]:
			f.Add(place, "is listed twice")
		case eventType.Name != "" && !p.profile.HasVersion(eventType.Name, v.Version):
			f.Add(place, "%q is not a version of %s", v.Version, eventType.Name)
		}
		seen[v.Version] = true
	}
	return f.Err()
}

func versionsOf(eventID string, pub *Publication) []models.EventVersion {
	versions := make([]models.EventVersion, len(pub.Versions))
	for i, v := range pub.Versions {
		versions[i] = models.EventVersion{EventID: eventID, Version: v.Version, Payload: v.Payload}
	}
	return versions
}

// cancelWithoutVersion ends an invocation as it is made when the event has nothing for the version that its
// subscription pinned. No workflow ever hears of it.
func cancelWithoutVersion(event *models.Event, invocation *models.Invocation) {
	if _, has := event.PayloadFor(invocation.Version); has {
		return
	}
	reason := models.ReasonVersionMissing
	invocation.Status, invocation.Reason = models.StatusCancelled, &reason
	invocation.NextAttemptAt, invocation.DispatchAfter, invocation.WorkflowID = nil, nil, ""
}
