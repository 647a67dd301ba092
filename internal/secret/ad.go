package secret

import (
	"encoding/binary"
	"errors"
)

// AD names the one place in the database where a ciphertext belongs. It is
// authenticated, not stored. Tenant is empty for what belongs to the deployment;
// the other members are required.
type AD struct {
	Table, Column, Tenant, Row string
}

var errNoPlace = errors.New("secret needs a table, a column and a row")

// encode puts the length before each member: ("ab","c") and ("a","bc") differ.
func (a AD) encode() ([]byte, error) {
	if a.Table == "" || a.Column == "" || a.Row == "" {
		return nil, errNoPlace
	}
	out := []byte("posthorn/ad/v1")
	for _, member := range []string{a.Table, a.Column, a.Tenant, a.Row} {
		out = binary.BigEndian.AppendUint64(out, uint64(len(member)))
		out = append(out, member...)
	}
	return out, nil
}
