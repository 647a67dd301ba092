package api

import (
	"net/http"

	"github.com/posthorn/posthorn/models"
)

func subscriptionRoutes() []route {
	const one = "/v1/subscriptions/{id}"
	return []route{
		{
			method: http.MethodPost, path: "/v1/applications/{app}/subscriptions", id: "create-subscription",
			tag: tagSubscriptions, summary: "Create a subscription", roles: managers(), scope: scopeApplication,
			managed: true, status: http.StatusCreated, conflicts: true, register: write((*server).createSubscription),
		},
		{
			method: http.MethodPost, path: "/v1/applications/{app}/subscriptions/validate", id: "validate-subscription",
			tag: tagSubscriptions, summary: "Check a subscription without creating it",
			text: "Takes what creation takes, and answers the same errors.", roles: managers(), scope: scopeApplication,
			managed: true, unaudited: true, register: write((*server).validateSubscription),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}/subscriptions", id: "list-subscriptions",
			tag: tagSubscriptions, summary: "List an application's subscriptions", roles: readers(),
			scope: scopeApplication, register: read((*server).listSubscriptions),
		},
		{
			method: http.MethodGet, path: one, id: "get-subscription", tag: tagSubscriptions,
			summary: "Read a subscription", roles: readers(), scope: scopeSubscription,
			register: read((*server).getSubscription),
		},
		{
			method: http.MethodPatch, path: one, id: "change-subscription", tag: tagSubscriptions,
			summary: "Change a subscription", text: "Members that are left out stay as they are.", roles: managers(),
			scope: scopeSubscription, managed: true, register: write((*server).changeSubscription),
		},
		{
			method: http.MethodDelete, path: one, id: "delete-subscription", tag: tagSubscriptions,
			summary: "Delete a subscription", text: "No attempt is started once this has answered.", roles: managers(),
			scope: scopeSubscription, managed: true, register: remove((*server).deleteSubscription),
		},
		{
			method: http.MethodGet, path: one + "/events", id: "get-subscription-events", tag: tagSubscriptions,
			summary: "List a subscription's event types", roles: readers(), scope: scopeSubscription,
			register: read((*server).getSubscriptionEvents),
		},
		{
			method: http.MethodPut, path: one + "/events", id: "add-subscription-events", tag: tagSubscriptions,
			summary: "Add event types", roles: managers(), scope: scopeSubscription, managed: true, conflicts: true,
			register: write((*server).addSubscriptionEvents),
		},
		{
			method: http.MethodDelete, path: one + "/events/{type}", id: "remove-subscription-event",
			tag: tagSubscriptions, summary: "Remove an event type", roles: managers(), scope: scopeSubscription,
			managed: true, register: remove((*server).removeSubscriptionEvent),
		},
	}
}

func subscriptionActionRoutes() []route {
	const one = "/v1/subscriptions/{id}"
	return []route{
		{
			method: http.MethodPost, path: one + "/verify", id: "verify-subscription", tag: tagSubscriptions,
			summary: "Verify the URL", text: "One GET to the URL, whose answer must hold the application's key.",
			roles: managers(), scope: scopeSubscription, conflicts: true, register: act((*server).verifySubscription),
		},
		{
			method: http.MethodPost, path: one + "/test", id: "test-subscription", tag: tagSubscriptions,
			summary: "Send a test", text: "The profile's constant test event, one attempt, at once.", roles: managers(),
			scope: scopeSubscription, status: http.StatusAccepted, conflicts: true,
			register: act((*server).testSubscription),
		},
		{
			method: http.MethodPost, path: one + "/enable", id: "enable-subscription", tag: tagSubscriptions,
			summary: "Switch a subscription on", roles: managers(), scope: scopeSubscription, managed: true,
			register: act((*server).enableSubscription),
		},
		{
			method: http.MethodPost, path: one + "/disable", id: "disable-subscription", tag: tagSubscriptions,
			summary: "Switch a subscription off", text: "What is open waits until it is on again.", roles: managers(),
			scope: scopeSubscription, managed: true, register: act((*server).disableSubscription),
		},
		{
			method: http.MethodPost, path: one + "/rotate-secret", id: "rotate-secret", tag: tagSubscriptions,
			summary: "Change the secret", text: "The old one goes on signing beside it for the overlap.",
			roles: managers(), scope: scopeSubscription, managed: true, conflicts: true,
			register: act((*server).rotateSecret),
		},
		{
			method: http.MethodGet, path: one + "/stats", id: "get-subscription-stats", tag: tagSubscriptions,
			summary: "How a subscription is doing", roles: readers(), scope: scopeSubscription,
			register: read((*server).subscriptionStats),
		},
	}
}

func eventRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/applications/{app}/events", id: "publish-event", tag: tagEvents,
			summary: "Publish an event", text: "202 means that it is committed.", idempotent: true, unaudited: true,
			roles: publishers(), scope: scopeApplication, status: http.StatusAccepted, conflicts: true, traced: true,
			register: traced((*server).publish),
		},
		{
			method: http.MethodPost, path: "/v1/applications/{app}/events/batch", id: "publish-events", tag: tagEvents,
			summary: "Publish several events",
			text:    "They are accepted in their order; one that is refused does not touch the others.",
			roles:   publishers(), scope: scopeApplication, status: http.StatusAccepted, unaudited: true, traced: true,
			register: traced((*server).publishBatch),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}/events", id: "list-events", tag: tagEvents,
			summary: "List an application's events", roles: readers(), scope: scopeApplication,
			register: read((*server).listEvents),
		},
		{
			method: http.MethodGet, path: "/v1/events/{id}", id: "get-event", tag: tagEvents, summary: "Read an event",
			text: "With its payload and the invocations that it led to.", roles: readers(), scope: scopeEvent,
			register: read((*server).getEvent),
		},
		{
			method: http.MethodPost, path: "/v1/events/{id}/cancel", id: "cancel-event", tag: tagEvents,
			summary: "Cancel an event", text: "Nothing of it that has not been delivered will be.", roles: publishers(),
			scope: scopeEvent, status: http.StatusAccepted, register: act((*server).cancelEvent),
		},
	}
}

func invocationRoutes() []route {
	const one = "/v1/invocations/{id}"
	return []route{
		{
			method: http.MethodGet, path: "/v1/applications/{app}/invocations", id: "list-invocations",
			tag: tagInvocations, summary: "List an application's invocations", roles: readers(), scope: scopeApplication,
			register: read((*server).listInvocations),
		},
		{
			method: http.MethodGet, path: one, id: "get-invocation", tag: tagInvocations, summary: "Read an invocation",
			roles: readers(), scope: scopeInvocation, register: read((*server).getInvocation),
		},
		{
			method: http.MethodGet, path: one + "/logs", id: "list-attempts", tag: tagInvocations,
			summary: "List an invocation's attempts", text: "Oldest first.", roles: readers(), scope: scopeInvocation,
			register: read((*server).listAttempts),
		},
		{
			method: http.MethodPost, path: one + "/redeliver", id: "redeliver-invocation", tag: tagInvocations,
			summary: "Deliver once more",
			text:    "In any state; the attempt does not count against the policy. A success ends the retries.",
			roles:   managers(), scope: scopeInvocation, status: http.StatusAccepted, conflicts: true,
			register: act((*server).redeliverInvocation),
		},
		{
			method: http.MethodPost, path: one + "/cancel", id: "cancel-invocation", tag: tagInvocations,
			summary: "Cancel an invocation", text: "No attempt is started once this has answered.", roles: managers(),
			scope: scopeInvocation, status: http.StatusAccepted, conflicts: true,
			register: act((*server).cancelInvocation),
		},
	}
}

func jobRoutes() []route {
	const one = "/v1/jobs/{id}"
	return []route{
		{
			method: http.MethodPost, path: "/v1/applications/{app}/redeliveries", id: "redeliver-invocations", tag: tagJobs,
			summary: "Deliver many invocations once more",
			text: "Either those listed or those that match the filter; each as by a redelivery of its own. Not sent are those " +
				"of a deleted or unverified subscription, and abandoned ones. The limits of a subscription hold.",
			roles: managers(), scope: scopeApplication, status: http.StatusAccepted,
			register: write((*server).redeliverMany),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}/jobs", id: "list-jobs", tag: tagJobs,
			summary: "List an application's jobs", text: "Newest first; results are null here.", roles: readers(),
			scope: scopeApplication, register: read((*server).listJobs),
		},
		{
			method: http.MethodGet, path: one, id: "get-job", tag: tagJobs, summary: "Read a job and its progress",
			roles: readers(), scope: scopeJob, register: read((*server).getJob),
		},
		{
			method: http.MethodPost, path: one + "/pause", id: "pause-job", tag: tagJobs, summary: "Pause a job",
			text:  "Nothing of it is sent once this has answered; what is in flight may still arrive.",
			roles: managers(), scope: scopeJob, status: http.StatusAccepted, conflicts: true,
			register: act(changeJob(models.JobPause)),
		},
		{
			method: http.MethodPost, path: one + "/resume", id: "resume-job", tag: tagJobs, summary: "Go on with a paused job",
			roles: managers(), scope: scopeJob, status: http.StatusAccepted, conflicts: true,
			register: act(changeJob(models.JobResume)),
		},
		{
			method: http.MethodPost, path: one + "/cancel", id: "cancel-job", tag: tagJobs, summary: "Cancel a job",
			text:  "Nothing of it is sent once this has answered; what is in flight may still arrive.",
			roles: managers(), scope: scopeJob, status: http.StatusAccepted, conflicts: true,
			register: act(changeJob(models.JobCancel)),
		},
	}
}
