package models

// Page says which part of a list is wanted: at most Limit entries (1–500) older than the one that After names; ""
// starts at the newest.
type Page struct {
	Limit int
	After string
}
