package history

import (
	"bufio"
	"bytes"
	"io"
)

// Load reads a history in any of the forms that we know, and tells which it is by how it begins: a
// history.jsonl (see Read), EDN (see ReadEDN) or a jepsen.log (see ReadJepsenLog).
func Load(name string, r io.Reader) (History, error) {
	const most = 64 << 10                       // bytes that may be blank
	buffered := bufio.NewReaderSize(r, 256<<10) // which the readers take over
	head, err := buffered.Peek(most)
	if err != nil && len(head) == 0 {
		return Read(name, buffered) // empty, or it cannot be read: the error comes again
	}
	head = bytes.TrimLeft(head, " \t\r\n,")
	switch {
	case len(head) == 0:
		return Read(name, buffered)
	case bytes.HasPrefix(head, []byte("INFO")):
		return ReadJepsenLog(name, buffered)
	case head[0] == '{':
		if inner := bytes.TrimLeft(head[1:], " \t\r\n"); len(inner) == 0 || inner[0] == '"' {
			return Read(name, buffered)
		}
		return ReadEDN(name, buffered)
	case bytes.IndexByte([]byte("[(#;"), head[0]) >= 0:
		return ReadEDN(name, buffered)
	}
	return History{}, &SyntaxError{
		File: name, Line: 1,
		Reason: excerpt(head) + " begins neither a history.jsonl, nor a history in EDN, nor a jepsen.log",
	}
}
