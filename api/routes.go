package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

// The groups that the reference shows routes in.
const (
	tagSystem        = "System"
	tagKeys          = "Keys"
	tagProfiles      = "Profiles"
	tagApplications  = "Applications"
	tagSubscriptions = "Subscriptions"
	tagEvents        = "Events"
	tagInvocations   = "Invocations"
)

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagApplications, Description: "Tenants: each has its own subscriptions, events and keys."},
		{Name: tagKeys, Description: "API keys: who may do what."},
		{Name: tagProfiles, Description: "Providers' ways of sending webhooks, and their event types."},
		{Name: tagSubscriptions, Description: "Endpoints and the event types that they want."},
		{Name: tagEvents, Description: "Facts to deliver."},
		{Name: tagInvocations, Description: "One event fired at one subscription, and every attempt of it."},
		{Name: tagSystem, Description: "Health, metrics, and this reference."},
	}
}

// routes is the route table (contract.md sections 1 to 7): all there is, in the order of the reference.
func routes() []route {
	var all []route
	for _, part := range [][]route{
		systemRoutes(), keyRoutes(), profileRoutes(), applicationRoutes(), subscriptionRoutes(), subscriptionActionRoutes(),
		eventRoutes(), invocationRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

// Who may call a route.
func operatorOnly() []models.Role { return []models.Role{models.RoleOperator} }
func managers() []models.Role     { return []models.Role{models.RoleOperator, models.RoleAdmin} }
func publishers() []models.Role   { return []models.Role{models.RoleOperator, models.RolePublisher} }

func readers() []models.Role {
	return []models.Role{models.RoleOperator, models.RoleAdmin, models.RoleMember}
}

func systemRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/healthz", id: "health", tag: tagSystem, summary: "Is the process alive?",
			public: true, register: serve("application/json", reflect.TypeFor[Health](), (*server).healthz),
		},
		{
			method: http.MethodGet, path: "/readyz", id: "readiness", tag: tagSystem, summary: "Can it do its work?",
			text: "503 when a dependency is not there; the body says which.", public: true,
			unready: true, register: serve("application/json", reflect.TypeFor[Readiness](), (*server).readyz),
		},
		{
			method: http.MethodGet, path: "/metrics", id: "metrics", tag: tagSystem, summary: "Prometheus metrics",
			public: true, register: serve("text/plain", nil, (*server).metrics),
		},
		{
			method: http.MethodGet, path: "/openapi.json", id: "openapi", tag: tagSystem, summary: "This document",
			public: true, register: serve("application/json", nil, (*server).openapi),
		},
		{
			method: http.MethodGet, path: "/docs", id: "docs", tag: tagSystem, summary: "This document, to read",
			public: true, register: serve("text/html", nil, (*server).docs),
		},
		{
			method: http.MethodGet, path: "/docs/{file}", id: "docs-file", tag: tagSystem, summary: "A part of the reference",
			public: true, register: serve("text/css,text/javascript", nil, (*server).docsFile),
		},
		{
			method: http.MethodGet, path: "/v1/source-ips", id: "source-ips", tag: tagSystem,
			summary: "Where deliveries come from", register: read((*server).sourceIPs),
		},
	}
}

func keyRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/keys", id: "create-deployment-key", tag: tagKeys,
			summary: "Create a key of the deployment", roles: operatorOnly(), status: http.StatusCreated,
			register: write((*server).createDeploymentKey),
		},
		{
			method: http.MethodPost, path: "/v1/applications/{app}/keys", id: "create-key", tag: tagKeys,
			summary: "Create a key of an application", roles: managers(), scope: scopeApplication,
			status: http.StatusCreated, register: write((*server).createApplicationKey),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}/keys", id: "list-keys", tag: tagKeys,
			summary: "List an application's keys", text: "Revoked ones are not listed.", roles: readers(),
			scope: scopeApplication, register: read((*server).listKeys),
		},
		{
			method: http.MethodDelete, path: "/v1/keys/{key_id}", id: "revoke-key", tag: tagKeys,
			summary: "Revoke a key", text: "It opens nothing any more, at once.", roles: managers(), scope: scopeKey,
			register: remove((*server).revokeKey),
		},
	}
}

func profileRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/v1/profiles", id: "list-profiles", tag: tagProfiles,
			summary: "List the profiles", register: read((*server).listProfiles),
		},
		{
			method: http.MethodGet, path: "/v1/profiles/{name}", id: "get-profile", tag: tagProfiles,
			summary: "Every knob of a profile", register: read((*server).getProfile),
		},
		{
			method: http.MethodGet, path: "/v1/event-types", id: "list-event-types", tag: tagProfiles,
			summary: "List a profile's event types", register: read((*server).listEventTypes),
		},
		{
			method: http.MethodPost, path: "/v1/profiles/{name}/event-types", id: "create-event-type", tag: tagProfiles,
			summary: "Add an event type", text: "It can be published and subscribed to at once.", roles: operatorOnly(),
			status: http.StatusCreated, conflicts: true, register: write((*server).createEventType),
		},
		{
			method: http.MethodPatch, path: "/v1/profiles/{name}/event-types/{type}", id: "change-event-type",
			tag: tagProfiles, summary: "Change an event type", text: "Its name and wire value stay.", roles: operatorOnly(),
			register: write((*server).changeEventType),
		},
		{
			method: http.MethodPost, path: "/v1/retry-policies/preview", id: "preview-retry-policy", tag: tagProfiles,
			summary: "What a retry policy amounts to", text: "Jitter is left out.", register: write((*server).previewRetry),
		},
	}
}

func applicationRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/applications", id: "create-application", tag: tagApplications,
			summary: "Create an application", roles: operatorOnly(), status: http.StatusCreated,
			register: write((*server).createApplication),
		},
		{
			method: http.MethodGet, path: "/v1/applications", id: "list-applications", tag: tagApplications,
			summary: "List the applications", roles: operatorOnly(), register: read((*server).listApplications),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}", id: "get-application", tag: tagApplications,
			summary: "Read an application", roles: operatorOnly(), scope: scopeApplication,
			register: read((*server).getApplication),
		},
		{
			method: http.MethodPatch, path: "/v1/applications/{app}", id: "change-application", tag: tagApplications,
			summary: "Change an application", roles: operatorOnly(), scope: scopeApplication,
			register: write((*server).changeApplication),
		},
		{
			method: http.MethodDelete, path: "/v1/applications/{app}", id: "delete-application", tag: tagApplications,
			summary: "Delete an application",
			text:    "Its keys open nothing any more, its subscriptions are deleted, its open invocations end cancelled.",
			roles:   operatorOnly(), scope: scopeApplication, register: remove((*server).deleteApplication),
		},
	}
}

func subscriptionRoutes() []route {
	const one = "/v1/subscriptions/{id}"
	return []route{
		{
			method: http.MethodPost, path: "/v1/applications/{app}/subscriptions", id: "create-subscription",
			tag: tagSubscriptions, summary: "Create a subscription", roles: managers(), scope: scopeApplication,
			managed: true, status: http.StatusCreated, conflicts: true, register: write((*server).createSubscription),
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
			summary: "Publish an event", text: "202 means that it is committed.", idempotent: true,
			roles: publishers(), scope: scopeApplication, status: http.StatusAccepted, conflicts: true,
			register: write((*server).publish),
		},
		{
			method: http.MethodPost, path: "/v1/applications/{app}/events/batch", id: "publish-events", tag: tagEvents,
			summary: "Publish several events",
			text:    "They are accepted in their order; one that is refused does not touch the others.",
			roles:   publishers(), scope: scopeApplication, status: http.StatusAccepted,
			register: write((*server).publishBatch),
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
