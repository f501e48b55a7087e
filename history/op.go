package history

import (
	"encoding/json"
	"math"
	"time"
)

// Never is the return time of an operation whose outcome is unknown: it may take effect at any
// moment after its call.
const Never = time.Duration(math.MaxInt64)

// Op is an invocation with its completion.
type Op struct {
	Index   int             // of its invocation in the history; the name by which findings call it
	Process int             //
	F, Key  string          //
	Input   json.RawMessage // value of the invocation
	Output  json.RawMessage // value of the completion; nil when there was none
	Type    Type            // OK, Fail or Info
	Call    time.Duration   // taken before the request was sent
	Return  time.Duration   // taken after the answer was received; Never when Type is Info
	Ended   time.Duration   // when the client gave up or was answered; Never if the run ended first

	Node           string
	Term, Revision uint64
	Err            string
}
