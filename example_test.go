package ordeal_test

import (
	"os"
	"testing"
	"time"

	"ordeal"
)

// A project puts its own system on trial with a TestMain that calls Main and a test that calls Test. Config's
// System says how a node is started, when it is ready and how a client talks to it; here it is left out,
// which means the reference KV.
func Example() {
	// func TestMain(m *testing.M)
	_ = func(m *testing.M) { os.Exit(ordeal.Main(m)) }

	// func TestChaos(t *testing.T)
	_ = func(t *testing.T) {
		ordeal.Test(t, ordeal.Config{Nodes: 3, Faults: "kill,pause@leader,partition", Time: 20 * time.Second})
	}
}
