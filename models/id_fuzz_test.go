package models_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/models"
)

// FuzzIsID: an id has one spelling.
func FuzzIsID(f *testing.F) {
	form := regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	for _, text := range []string{
		models.NewID(), "", "{01963b6e-0000-7000-8000-000000000000}", "01963B6E-0000-7000-8000-000000000000",
		"01963b6e000070008000000000000000", "01963b6e-0000-7000-8000-00000000000g",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { require.Equal(t, form.MatchString(text), models.IsID(text), text) })
}
