package history

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
)

// csvColumns are the columns of WriteCSV; times are nanoseconds since the run began.
var csvColumns = []string{
	"index", "process", "f", "key", "input", "output", "type", "call_ns", "return_ns", "node", "term", "revision", "err",
}

// WriteCSV writes operations as comma-separated values (RFC 4180), one a row below a row of names.
// Input and output are JSON; what there is not is an empty cell, as is the return of an operation of
// unknown outcome and a term or revision that is 0.
//
// Spreadsheets take a cell that begins with = + - @, a tab or a carriage return for a formula. Text that
// does so gets a ' before it; input and output cannot, for JSON begins with none of these but the
// minus of a number.
func WriteCSV(w io.Writer, ops []Op) error {
	out := csv.NewWriter(w)
	err := out.Write(csvColumns)
	for i := range ops {
		if err == nil {
			err = out.Write(csvRow(&ops[i]))
		}
	}
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("write operations: %w", err)
	}
	return nil
}

func csvRow(op *Op) []string {
	number := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatUint(n, 10)
	}
	end := ""
	if op.Return != Never {
		end = strconv.FormatInt(int64(op.Return), 10)
	}
	return []string{
		strconv.Itoa(op.Index), strconv.Itoa(op.Process), csvText(op.F), csvText(op.Key), string(op.Input), string(op.Output),
		op.Type.String(), strconv.FormatInt(int64(op.Call), 10), end,
		csvText(op.Node), number(op.Term), number(op.Revision), csvText(op.Err),
	}
}

// csvText is text that no spreadsheet takes for a formula.
func csvText(text string) string {
	if text != "" {
		switch text[0] {
		case '=', '+', '-', '@', '\t', '\r':
			return "'" + text
		}
	}
	return text
}
