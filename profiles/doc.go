// Package profiles holds the providers' ways of sending webhooks, as data: one YAML file says all there is to know
// about one provider, and nothing in the engine asks which provider it is. The files in this folder are built into
// the program; an operator's own come from a directory.
//
// A file, the `overrides` of an application and the answer of GET /v1/profiles/{name} are the same form, see the
// type form. Everything here is a value that never changes once made: overriding or extending a profile returns a
// new one, so a Profile may be shared by goroutines and kept in caches.
package profiles
