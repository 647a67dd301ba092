// Package api serves Posthorn's management API over HTTP. It is the only package that knows Gin and Huma; what else
// serves HTTP (dashboard, internal/app, internal/demo, internal/listen) does so with net/http alone.
//
// One table (routes.go) says of every route who may call it and whose it is; registration, authorisation and the
// OpenAPI document follow from it. One place (errors.go) writes errors. Request bodies are decoded strictly and byte
// for byte (decode.go), and payloads leave as they came (encode.go).
package api
