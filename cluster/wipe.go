package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// wipe empties the node's data directory. What a node has put there is not trusted: os.Root keeps to the
// directory whatever the links in it say, and the directory itself must not have become one.
func (n *node) wipe(ctx context.Context) (files int, bytes int64, err error) {
	if err := n.awaitDown(ctx); err != nil {
		return 0, 0, err
	}
	info, err := os.Lstat(n.spec.Dir)
	if err != nil {
		return 0, 0, err
	}
	if !info.IsDir() {
		return 0, 0, fmt.Errorf("%s is no directory any more", n.spec.Dir)
	}
	root, err := os.OpenRoot(n.spec.Dir)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = root.Close() }()
	if files, bytes, err = measure(root.FS()); err != nil {
		return 0, 0, err
	}
	n.written = false
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return 0, 0, err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, root.RemoveAll(e.Name()))
	}
	if err := errors.Join(errs...); err != nil {
		return 0, 0, err
	}
	n.log.note("disk wiped: %d files, %d bytes", files, bytes)
	return files, bytes, nil
}

// measure counts what is there, directories aside, and the bytes of regular files.
func measure(dir fs.FS) (files int, bytes int64, err error) {
	err = fs.WalkDir(dir, ".", func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		bytes += info.Size()
		return nil
	})
	return files, bytes, err
}
