// Package secret keeps what must not be read: it encrypts secrets at rest and
// makes and checks API keys. It does no I/O and keeps no state but its keys.
//
// Encryption is AES-256-GCM through Tink, which puts the id of the key in front
// of each ciphertext, so several master keys can be live while old rows are
// re-encrypted. Every ciphertext is bound to its place in the database (AD): a
// value copied to another row, column or tenant does not open.
//
// API keys hold 256 random bits, so a plain SHA-256 digest is all that is stored
// and a slow password hash would only cost CPU on each request.
package secret
