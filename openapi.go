package main

import (
	"os"

	"github.com/posthorn/posthorn/api"
)

// openapiCmd prints the API's own description, for generators of clients.
type openapiCmd struct{}

// Run prints the document that /openapi.json answers.
func (openapiCmd) Run() error {
	document, err := api.Document(version)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(document)
	return err
}
