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
	tagJobs          = "Jobs"
	tagMessages      = "Messages"
	tagAudit         = "Audit"
	tagErasures      = "Erasures"
)

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: tagApplications, Description: "Tenants: each has its own subscriptions, events and keys."},
		{Name: tagKeys, Description: "API keys: who may do what."},
		{Name: tagProfiles, Description: "Providers' ways of sending webhooks, and their event types."},
		{Name: tagSubscriptions, Description: "Endpoints and the event types that they want."},
		{Name: tagEvents, Description: "Facts to deliver."},
		{Name: tagInvocations, Description: "One event fired at one subscription, and every attempt of it."},
		{Name: tagJobs, Description: "Redeliveries of many invocations, at a rate, with progress."},
		{Name: tagMessages, Description: "Invocations in the form of a provider's own API: Viva Wallet's."},
		{Name: tagAudit, Description: "Who changed what, when and from where."},
		{Name: tagErasures, Description: "Removal of all that is stored about a tenant, or about one entity, with a record."},
		{Name: tagSystem, Description: "Health, metrics, and this reference."},
	}
}

// routes is the route table: all there is.
func routes() []route {
	var all []route
	for _, part := range [][]route{
		systemRoutes(), keyRoutes(), profileRoutes(), applicationRoutes(), subscriptionRoutes(), subscriptionActionRoutes(),
		eventRoutes(), invocationRoutes(), jobRoutes(), messageRoutes(), auditRoutes(), erasureRoutes(),
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
			text: "503 when a dependency is not there, as the body says, and while the process stops.", public: true,
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
			method: http.MethodGet, path: "/v1/me", id: "get-me", tag: tagKeys, summary: "What the key of the request is for",
			register: read((*server).me),
		},
		{
			method: http.MethodPost, path: "/v1/keys", id: "create-deployment-key", tag: tagKeys,
			summary: "Create a key of the deployment", roles: operatorOnly(), status: http.StatusCreated,
			register: write((*server).createDeploymentKey),
		},
		{
			method: http.MethodPost, path: "/v1/applications/{app}/keys", id: "create-key", tag: tagKeys,
			summary: "Create a key of an application", roles: managers(), scope: scopeApplication,
			status: http.StatusCreated, conflicts: true, register: write((*server).createApplicationKey),
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
			summary: "What a retry policy amounts to", text: "Jitter is left out.", unaudited: true,
			register: write((*server).previewRetry),
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
			method: http.MethodGet, path: "/v1/applications/{app}/profile", id: "get-application-profile",
			tag: tagApplications, summary: "Read the profile that an application sends by",
			text: "With its overrides applied.", roles: readers(), scope: scopeApplication,
			register: read((*server).getApplicationProfile),
		},
		{
			method: http.MethodGet, path: "/v1/applications/{app}/timeline", id: "get-timeline", tag: tagApplications,
			summary: "Deliveries, failures and latency over time", text: "Over the attempts of the latest 5000 invocations.",
			roles: readers(), scope: scopeApplication, register: read((*server).timeline),
		},
		{
			method: http.MethodPatch, path: "/v1/applications/{app}", id: "change-application", tag: tagApplications,
			summary: "Change an application", roles: operatorOnly(), scope: scopeApplication,
			register: write((*server).changeApplication),
		},
		{
			method: http.MethodDelete, path: "/v1/applications/{app}", id: "delete-application", tag: tagApplications,
			summary: "Delete an application",
			text:    "Its keys open nothing any more, its subscriptions are deleted, its open invocations and jobs end cancelled.",
			roles:   operatorOnly(), scope: scopeApplication, register: remove((*server).deleteApplication),
		},
	}
}

func erasureRoutes() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/erasures", id: "create-erasure", tag: tagErasures,
			summary: "Erase an application, or one entity of it",
			text: "What is open ends cancelled with the reason erased, what is in flight is settled first; then events, payloads, " +
				"invocations, log entries and whatever else tells of them are removed, in batches. Of an entity: its events up to " +
				"this call. Of an application, which is deleted with the 202: everything, itself too, and the details of its audit " +
				"entries.",
			roles: operatorOnly(), status: http.StatusAccepted, register: write((*server).createErasure),
		},
		{
			method: http.MethodGet, path: "/v1/erasures", id: "list-erasures", tag: tagErasures, summary: "List erasures",
			text: "Newest first.", roles: operatorOnly(), register: read((*server).listErasures),
		},
		{
			method: http.MethodGet, path: "/v1/erasures/{id}", id: "get-erasure", tag: tagErasures,
			summary: "Read an erasure's record", text: "It stays.", roles: operatorOnly(), scope: scopeErasure,
			register: read((*server).getErasure),
		},
	}
}

func auditRoutes() []route {
	return []route{
		{
			method: http.MethodGet, path: "/v1/audit", id: "list-audit-entries", tag: tagAudit,
			summary: "List who changed what",
			text: "Every call that changed something, publishing excepted: with the change, its entry was stored. With " +
				"denied=true, every call that was answered 403, within bounds. Newest first.",
			roles: operatorOnly(), register: read((*server).listAudit),
		},
	}
}
