package netfault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// iptables puts the rules in through the iptables-restore program: one run of it is one atomic
// replacement of the chain, in the nf_tables variant as in the legacy one.
type iptables struct {
	restore, save string // programs
	variant       string // nf_tables or legacy
}

// FindIptables returns the path of iptables-restore: from PATH, or from the directories for the
// administrator's programs, which an ordinary user's PATH often lacks.
func FindIptables() (string, error) {
	for _, name := range []string{"iptables-restore", "/usr/sbin/iptables-restore", "/sbin/iptables-restore"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("iptables-restore is neither on PATH nor in /usr/sbin or /sbin")
}

// IptablesVariant asks the program which part of the kernel it speaks to: "nf_tables" or "legacy".
func IptablesVariant(ctx context.Context, path string) (string, error) {
	out, err := run(ctx, nil, path, "--version")
	if err != nil {
		return "", err
	}
	if _, rest, ok := strings.Cut(string(out), "("); ok {
		variant, _, _ := strings.Cut(rest, ")")
		return variant, nil
	}
	return "legacy", nil // before 1.8 there was no other, and it did not say so
}

// OpenIptables is Open with the iptables-restore program at path. The program that reads the
// counters, iptables-save, is expected beside it.
func OpenIptables(ctx context.Context, path string) (*Firewall, error) {
	variant, err := IptablesVariant(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open the firewall: %w", err)
	}
	dir, base := filepath.Split(path)
	b := &iptables{
		restore: path,
		save:    dir + strings.Replace(base, "restore", "save", 1),
		variant: variant,
	}
	if err := b.prepare(ctx); err != nil {
		return nil, fmt.Errorf("open the firewall: %w", err)
	}
	return newFirewall(b), nil
}

// prepare makes the chain, empty, and the jump to it, unless a Firewall that was never closed has
// left one: with two jumps Close could not remove the chain.
func (b *iptables) prepare(ctx context.Context) error {
	const jump = "-A FORWARD -j " + chain
	rules, err := run(ctx, nil, b.save, "-t", "filter")
	if err != nil {
		return err
	}
	lines := []string{":" + chain + " - [0:0]"}
	if !slices.Contains(strings.Split(string(rules), "\n"), jump) {
		lines = append(lines, jump)
	}
	return b.commit(ctx, lines...)
}

func (b *iptables) name() string { return "iptables-restore (" + b.variant + ")" }

func (b *iptables) replace(ctx context.Context, pairs []Pair) error {
	lines := []string{":" + chain + " - [0:0]"} // empties the chain
	for _, p := range pairs {
		lines = append(lines, fmt.Sprintf("-A %s -s %s/32 -d %s/32 -j DROP", chain, p.From, p.To))
	}
	return b.commit(ctx, lines...)
}

func (b *iptables) remove(ctx context.Context) error {
	return b.commit(ctx, "-D FORWARD -j "+chain, "-F "+chain, "-X "+chain)
}

// commit changes the filter table by these lines, all or none, and leaves the rest of it alone.
func (b *iptables) commit(ctx context.Context, lines ...string) error {
	var in bytes.Buffer
	fmt.Fprintf(&in, "*filter\n%s\nCOMMIT\n", strings.Join(lines, "\n"))
	_, err := run(ctx, &in, b.restore, "--noflush", "-w")
	return err
}

func (b *iptables) counts(ctx context.Context) (map[Pair]uint64, error) {
	out, err := run(ctx, nil, b.save, "-c", "-t", "filter")
	if err != nil {
		return nil, err
	}
	counts := map[Pair]uint64{}
	for line := range strings.Lines(string(out)) {
		if p, n, ok := parseCount(line); ok {
			counts[p] += n
		}
	}
	return counts, nil
}

// parseCount reads "[packets:bytes] -A NEM -s 10.77.0.1/32 -d 10.77.0.2/32 -j DROP".
func parseCount(line string) (p Pair, packets uint64, ok bool) {
	w := strings.Fields(line)
	if len(w) != 9 || w[1] != "-A" || w[2] != chain || w[3] != "-s" || w[5] != "-d" || w[8] != "DROP" {
		return p, 0, false
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(w[0], "["), ":")
	packets, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return p, 0, false
	}
	from, err := netip.ParsePrefix(w[4])
	if err != nil {
		return p, 0, false
	}
	to, err := netip.ParsePrefix(w[6])
	if err != nil {
		return p, 0, false
	}
	return Pair{from.Addr(), to.Addr()}, packets, true
}

// run runs a program to its end and returns what it printed; its complaints are in the error.
func run(ctx context.Context, stdin *bytes.Buffer, path string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if text := strings.TrimSpace(complaint.String()); text != "" {
			return nil, fmt.Errorf("%s: %w: %s", filepath.Base(path), err, text)
		}
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return out.Bytes(), nil
}
