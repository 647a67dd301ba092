package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn/models"
)

const (
	// messageID is the path parameter of a message, spelt as the provider does.
	messageID     = "messageId"
	redeliverVerb = "redeliver"
)

// messageRoutes are the provider-shaped routes, Viva Wallet's: see docs/decisions/0011-messages.md.
func messageRoutes() []route {
	const all = "/webhooks/v1/messages"
	one := all + "/{" + messageID + "}"
	return []route{
		{
			method: http.MethodGet, path: all, id: "list-messages", tag: tagMessages, summary: "List messages",
			text:  "Newest first. A message is one event for one subscription; a test of a subscription is none.",
			roles: applicationReaders(), scope: scopeOwn, provider: true, query: messageParameters(),
			register: read((*server).listMessages),
		},
		{
			method: http.MethodGet, path: one, id: "get-message", tag: tagMessages, summary: "Read a message",
			text: "With the body as sent and its deliveries.", roles: applicationReaders(), scope: scopeMessage,
			provider: true, register: read((*server).getMessage),
		},
		{
			method: http.MethodPost, path: one + ":" + redeliverVerb, id: "redeliver-message", tag: tagMessages,
			summary: "Deliver a message once more",
			text:    "In any state but abandoned; the attempt does not count against the policy. A success ends the retries.",
			roles:   []models.Role{models.RoleAdmin}, scope: scopeMessage, provider: true, status: http.StatusAccepted,
			conflicts: true, register: act((*server).redeliverMessage),
		},
		{
			method: http.MethodGet, path: "/api/messages/config/token", id: "get-verification-key", tag: tagMessages,
			summary: "The key that a URL must show to be verified", text: "In the form that the URL has to answer with.",
			roles: []models.Role{models.RoleAdmin}, scope: scopeOwn, provider: true,
			register: read((*server).verificationKey),
		},
	}
}

func applicationReaders() []models.Role { return []models.Role{models.RoleAdmin, models.RoleMember} }

func messageParameters() []*huma.Param {
	least, most := float64(1), float64(maxMessages)
	return []*huma.Param{
		{
			Name: "eventTypeId", In: "query", Required: true, Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int64"},
			Description: "The event type's number on the wire; one that there is not finds nothing.", Example: 1796,
		},
		{
			Name: "before", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Format: "date-time"},
			Description: "created is earlier than this.",
		},
		{
			Name: "responseStatus", In: "query", Schema: &huma.Schema{Type: huma.TypeInteger, Enum: []any{1, 2}},
			Description: "1: delivered. 2: tried, not delivered so far. Left out: all, also what was not tried yet.",
		},
		{
			Name: "limit", In: "query", Description: "How many messages at most.",
			Schema: &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Maximum: &most, Default: defaultMessages},
		},
	}
}
