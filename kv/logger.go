package kv

import (
	"fmt"
	"io"
	"log"

	"go.etcd.io/raft/v3"
)

func newLogger(w io.Writer, id uint64) raft.Logger {
	flags := log.Ltime | log.Lmicroseconds | log.Lmsgprefix
	return &raft.DefaultLogger{Logger: log.New(w, fmt.Sprintf("kvnode %d ", id), flags)}
}

// quiet keeps raft's warnings and worse; the core itself logs changes of role, leader and term.
type quiet struct{ raft.Logger }

func (quiet) Info(...any)          {}
func (quiet) Infof(string, ...any) {}
