package netfault

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
)

// Where the two addresses are in an IPv4 header, in bytes.
const (
	sourceOffset      = 12
	destinationOffset = 16
	addressLen        = 4
)

// nft puts the same rules in through netlink, in a table of its own.
type nft struct {
	table   *nftables.Table
	forward *nftables.Chain
	cuts    *nftables.Chain
}

// OpenNetlink is Open without any program: nf_tables through netlink.
func OpenNetlink(ctx context.Context) (*Firewall, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open the firewall: %w", err)
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("open the firewall: netlink: %w", err)
	}
	b := &nft{table: &nftables.Table{Family: nftables.TableFamilyIPv4, Name: "ordeal"}}
	// Added before it is deleted, so that deleting cannot fail: what an earlier Firewall that was
	// never closed has left goes.
	conn.AddTable(b.table)
	conn.DelTable(b.table)
	conn.AddTable(b.table)
	b.forward = conn.AddChain(&nftables.Chain{
		Name:     "FORWARD",
		Table:    b.table,
		Type:     nftables.ChainTypeFilter,
		Hooknum:  nftables.ChainHookForward,
		Priority: nftables.ChainPriorityFilter,
	})
	b.cuts = conn.AddChain(&nftables.Chain{Name: chain, Table: b.table})
	conn.AddRule(&nftables.Rule{Table: b.table, Chain: b.forward, Exprs: []expr.Any{
		&expr.Verdict{Kind: expr.VerdictJump, Chain: chain},
	}})
	if err := conn.Flush(); err != nil {
		return nil, fmt.Errorf("open the firewall: netlink: %w", err)
	}
	return newFirewall(b), nil
}

func (b *nft) name() string { return "nftables netlink" }

func (b *nft) replace(ctx context.Context, pairs []Pair) error {
	return b.batch(ctx, func(conn *nftables.Conn) {
		conn.FlushChain(b.cuts)
		for _, p := range pairs {
			conn.AddRule(&nftables.Rule{
				Table:    b.table,
				Chain:    b.cuts,
				Exprs:    drop(p),
				UserData: userdata.AppendString(nil, userdata.TypeComment, p.String()),
			})
		}
	})
}

func (b *nft) remove(ctx context.Context) error {
	return b.batch(ctx, func(conn *nftables.Conn) { conn.DelTable(b.table) })
}

// batch sends what add puts into the connection as one transaction.
func (b *nft) batch(ctx context.Context, add func(*nftables.Conn)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("nftables netlink: %w", err)
	}
	add(conn)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("nftables netlink: %w", err)
	}
	return nil
}

// drop is the rule "ip saddr FROM ip daddr TO counter drop".
func drop(p Pair) []expr.Any {
	from, to := p.From.As4(), p.To.As4()
	match := func(offset uint32, addr []byte) []expr.Any {
		return []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: addressLen},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: addr},
		}
	}
	rule := append(match(sourceOffset, from[:]), match(destinationOffset, to[:])...)
	return append(rule, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
}

func (b *nft) counts(ctx context.Context) (map[Pair]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, fmt.Errorf("nftables netlink: %w", err)
	}
	rules, err := conn.GetRules(b.table, b.cuts)
	if err != nil {
		return nil, fmt.Errorf("nftables netlink: read the counters: %w", err)
	}
	counts := map[Pair]uint64{}
	for _, rule := range rules {
		p, err := parsePair(rule.UserData)
		if err != nil {
			return nil, fmt.Errorf("nftables netlink: read the counters: %w", err)
		}
		for _, e := range rule.Exprs {
			if c, ok := e.(*expr.Counter); ok {
				counts[p] += c.Packets
			}
		}
	}
	return counts, nil
}

// parsePair reads the comment that replace gives to a rule.
func parsePair(data []byte) (Pair, error) {
	comment, ok := userdata.GetString(data, userdata.TypeComment)
	from, to, ok2 := strings.Cut(comment, ">")
	if !ok || !ok2 {
		return Pair{}, fmt.Errorf("a rule that is not ours, with the comment %q", comment)
	}
	a, err := netip.ParseAddr(from)
	b, err2 := netip.ParseAddr(to)
	if err := errors.Join(err, err2); err != nil {
		return Pair{}, fmt.Errorf("a rule that is not ours, with the comment %q: %w", comment, err)
	}
	return Pair{a, b}, nil
}
