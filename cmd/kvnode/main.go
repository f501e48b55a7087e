// Command kvnode runs one node of the reference key-value store by hand; see package kv.
package main

import (
	"os"

	"ordeal/internal/kvnode"
)

func main() { os.Exit(kvnode.Main(os.Args[1:], os.Stdout, os.Stderr)) }
