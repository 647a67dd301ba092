// What this process knows of specs. Their rows stay (docs/decisions/0015-erasure.md says why), so what it has seen
// stored is stored.

package store

import (
	"fmt"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/posthorn/posthorn/models"
)

// maxSpecs bounds the specs that are kept in memory, of a kilobyte or so each. Past it all are read, or offered to the
// table, anew: whoever changes a subscription all the time makes one statement of it for each of the others.
const maxSpecs = 4096

// byDigest keeps what is known of specs, of maxSpecs at most. The zero value is ready; it is safe for concurrent use.
type byDigest[V any] struct {
	mu    sync.RWMutex
	known map[string]V
}

func (b *byDigest[V]) get(digest []byte) (V, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	found, ok := b.known[string(digest)]
	return found, ok
}

func (b *byDigest[V]) put(digest []byte, value V) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.known[string(digest)]; b.known == nil || !known && len(b.known) >= maxSpecs {
		b.known = map[string]V{}
	}
	b.known[string(digest)] = value
}

// storeSpecs stores those that this process has not stored yet.
func (s *Store) storeSpecs(tx *gorm.DB, specs []models.StoredSpec) error {
	for _, spec := range specs {
		if _, known := s.storedSpecs.get(spec.Digest); known {
			continue
		}
		err := tx.Table("specs").Clauses(clause.OnConflict{DoNothing: true}).Create(&spec).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// rememberSpecs is called once the transaction that stored them has committed.
func (s *Store) rememberSpecs(batch []*Acceptance) {
	for _, a := range batch {
		if a.Err != nil || a.Duplicate {
			continue
		}
		for _, spec := range a.Specs {
			if _, known := s.storedSpecs.get(spec.Digest); !known {
				s.storedSpecs.put(spec.Digest, struct{}{})
			}
		}
	}
}

// spec reads the Spec with the given digest; specs never change, so one that is kept is not read again.
func (s *Store) spec(tx *gorm.DB, digest []byte) (*models.Spec, error) {
	if found, ok := s.specs.get(digest); ok {
		return found, nil
	}
	return s.loadSpec(tx, digest)
}

// loadSpec reads a Spec and keeps it.
func (s *Store) loadSpec(tx *gorm.DB, digest []byte) (*models.Spec, error) {
	var row models.StoredSpec
	if err := takeRaw(tx, &row, "SELECT digest, body FROM specs WHERE digest = ?", digest); err != nil {
		return nil, fmt.Errorf("read spec: %w", err)
	}
	spec, err := row.Spec()
	if err != nil {
		return nil, err
	}
	s.specs.put(digest, spec)
	return spec, nil
}
