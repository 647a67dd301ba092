package egress

import (
	"net"
	"sync"
	"time"
)

// writeGrace is how long a failed write waits for the reader to finish.
const writeGrace = time.Second

// patientConn lets an answer win over a write error. A receiver may answer
// before it has read the whole body and then close (413, 401): the write fails
// with a reset while the status is already on its way in, and net/http would
// report the write. So a failed write is held back until the read side has
// come to its own end.
type patientConn struct {
	net.Conn
	readOver chan struct{}
	once     sync.Once
}

func newPatientConn(c net.Conn) *patientConn {
	return &patientConn{Conn: c, readOver: make(chan struct{})}
}

func (c *patientConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.endRead()
	}
	return n, err
}

func (c *patientConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil {
		c.awaitRead()
	}
	return n, err
}

func (c *patientConn) Close() error {
	c.endRead()
	return c.Conn.Close()
}

func (c *patientConn) endRead() { c.once.Do(func() { close(c.readOver) }) }

func (c *patientConn) awaitRead() {
	timer := time.NewTimer(writeGrace)
	defer timer.Stop()
	select {
	case <-c.readOver:
	case <-timer.C:
	}
}
