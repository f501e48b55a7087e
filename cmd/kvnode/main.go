// Command kvnode runs one node of the reference key-value store by hand; see package kv.
package main

import (
	"os"

	"ordeal/kv"
)

func main() { os.Exit(kv.Main(os.Args[1:], os.Stdout, os.Stderr)) }
