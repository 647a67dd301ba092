package filter

import "sync"

// maxCached bounds the programs that are kept; past it all are compiled anew, in a fraction of a millisecond each.
const maxCached = 1000

// Cache keeps programs by their expression. The zero value is ready; it is safe for concurrent use.
type Cache struct {
	mu       sync.Mutex
	programs map[string]*Program
}

// Program compiles the expression unless it is known.
func (c *Cache) Program(expression string) (*Program, error) {
	c.mu.Lock()
	known := c.programs[expression]
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, err := Compile(expression)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.programs == nil || len(c.programs) >= maxCached {
		c.programs = map[string]*Program{}
	}
	c.programs[expression] = made
	return made, nil
}
