package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// cableGroup is the link group of the hub's ends. It lets Close remove all cables in one request:
// one by one, each waits 40 ms for the kernel's readers.
const cableGroup = 77

// How long the kernel may take to notice that a cable is connected, and how often it is asked.
// It takes less than a millisecond.
const (
	carrierMax   = 5 * time.Second
	carrierEvery = 100 * time.Microsecond
)

// Star is the network of a cluster. Each node has a network namespace with one interface and one
// address; the sandbox itself is the hub, which routes between them. So every packet between two
// nodes passes the hub's FORWARD chain, what a node sends to itself never does, and the harness
// reaches every node whatever is cut.
type Star struct {
	hub netns.NsHandle

	mu     sync.Mutex // guards the rest; held while Close removes things
	leaves []leaf     // node i is leaves[i-1]
	closed bool
}

// leaf is what one node's network consists of.
type leaf struct {
	ns   netns.NsHandle
	link netlink.Link // the hub's end of the veth pair
}

// NewStar makes the network of n nodes, numbered from 1. It works in a sandbox only, which has
// room for one star at a time: close it before the next.
func NewStar(n int) (*Star, error) {
	if err := Ready(); err != nil { // never touch the host's network
		return nil, fmt.Errorf("make a network: %w", err)
	}
	if n < 1 || n > MaxNodes {
		return nil, fmt.Errorf("make a network of %d nodes: from 1 to %d are possible", n, MaxNodes)
	}
	hub, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("make a network: open the hub's namespace: %w", err)
	}
	s := &Star{hub: hub}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a network: open netlink: %w", err), s.Close())
	}
	defer h.Close()
	for i := 1; i <= n; i++ {
		if err := s.addNode(h, i); err != nil {
			return nil, errors.Join(fmt.Errorf("make the network of node %d: %w", i, err), s.Close())
		}
	}
	return s, nil
}

// addNode makes node i's namespace and both ends of its cable; h speaks for the hub.
func (s *Star) addNode(h *netlink.Handle, i int) error {
	var l leaf
	return onThread(s.hub, func() (err error) {
		if l.ns, err = netns.New(); err != nil {
			return fmt.Errorf("new namespace: %w", err)
		}
		s.leaves = append(s.leaves, l)
		in, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		defer in.Close()
		if err := boundRTO(); err != nil {
			return err
		}
		if err := loopbackUp(in); err != nil {
			return err
		}
		link, err := addCable(h, i, l.ns)
		if err != nil {
			return err
		}
		s.leaves[i-1].link = link
		if err := leafAddress(in, i); err != nil {
			return err
		}
		if err := hubRoute(h, i, link); err != nil {
			return err
		}
		return awaitCarrier(in)
	})
}

// awaitCarrier waits until the kernel has noticed that both ends of the cable are up. That happens
// in the background, and until then what the node sends is dropped without a word: its first ARP
// request would be repeated after a second only.
func awaitCarrier(in *netlink.Handle) error {
	deadline := time.After(carrierMax)
	tick := time.NewTicker(carrierEvery)
	defer tick.Stop()
	for {
		eth0, err := in.LinkByName("eth0")
		if err != nil {
			return fmt.Errorf("find eth0: %w", err)
		}
		if eth0.Attrs().OperState == netlink.OperUp {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("eth0 is %s after %s", eth0.Attrs().OperState, carrierMax)
		}
	}
}

// addCable adds the veth pair: nI in the hub, eth0 in the node.
func addCable(h *netlink.Handle, i int, ns netns.NsHandle) (netlink.Link, error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "n" + strconv.Itoa(i)
	attrs.Group = cableGroup
	err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsFd(ns)})
	if errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("add veth %s: the sandbox has a network already: %w", attrs.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("add veth %s: %w", attrs.Name, err)
	}
	link, err := h.LinkByName(attrs.Name)
	if err != nil {
		return nil, fmt.Errorf("find veth %s: %w", attrs.Name, err)
	}
	return link, nil
}

// leafAddress gives the node its address and sends everything to the hub.
func leafAddress(in *netlink.Handle, i int) error {
	eth0, err := in.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	if err := in.AddrAdd(eth0, &netlink.Addr{IPNet: host(nodeAddr(i))}); err != nil {
		return fmt.Errorf("add the address to eth0: %w", err)
	}
	if err := in.LinkSetUp(eth0); err != nil {
		return fmt.Errorf("set eth0 up: %w", err)
	}
	_, everything, err := net.ParseCIDR("0.0.0.0/0")
	if err != nil {
		return err
	}
	// Onlink: the hub is beyond no subnet of ours, but it is at the other end of the cable.
	err = in.RouteAdd(&netlink.Route{
		LinkIndex: eth0.Attrs().Index,
		Dst:       everything,
		Gw:        HubAddr().AsSlice(),
		Src:       nodeAddr(i).AsSlice(),
		Flags:     int(netlink.FLAG_ONLINK),
	})
	if err != nil {
		return fmt.Errorf("add the default route: %w", err)
	}
	return nil
}

// hubRoute gives the hub's end its address (the same on every cable, so that ARP is answered
// whatever the host's arp_ignore, which namespaces inherit) and the route to the node.
func hubRoute(h *netlink.Handle, i int, link netlink.Link) error {
	if err := h.AddrAdd(link, &netlink.Addr{IPNet: host(HubAddr())}); err != nil {
		return fmt.Errorf("add the hub's address: %w", err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("set the hub's end up: %w", err)
	}
	err := h.RouteAdd(&netlink.Route{
		LinkIndex: link.Attrs().Index,
		Dst:       host(nodeAddr(i)),
		Src:       HubAddr().AsSlice(),
		Scope:     netlink.SCOPE_LINK,
	})
	if err != nil {
		return fmt.Errorf("add the hub's route: %w", err)
	}
	return nil
}

func host(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}
}

// Addr returns the address of node i, counted from 1.
func (s *Star) Addr(i int) netip.Addr { return nodeAddr(i) }

// Start starts cmd in the network of node i, counted from 1. Where it fails the command has not
// been started, except when the error says that the way back to the hub was lost.
func (s *Star) Start(i int, cmd *exec.Cmd) error { return s.Do(i, cmd.Start) }

// Do calls f on a thread that is in the network of node i: sockets that f opens, and processes
// that it starts, are in that network for good, whoever uses them. Goroutines that f starts are
// not.
func (s *Star) Do(i int, f func() error) error {
	s.mu.Lock()
	if s.closed || i < 1 || i > len(s.leaves) {
		defer s.mu.Unlock()
		if s.closed {
			return fmt.Errorf("enter the network of node %d: it is closed", i)
		}
		return fmt.Errorf("enter the network of node %d: there are nodes 1 to %d", i, len(s.leaves))
	}
	// A descriptor of its own, so that Close need not wait for f.
	fd, err := unix.FcntlInt(uintptr(s.leaves[i-1].ns), unix.F_DUPFD_CLOEXEC, 0)
	hub, err2 := unix.FcntlInt(uintptr(s.hub), unix.F_DUPFD_CLOEXEC, 0)
	s.mu.Unlock()
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("enter the network of node %d: %w", i, err)
	}
	ns := netns.NsHandle(fd)
	back := netns.NsHandle(hub)
	defer func() { _ = ns.Close() }()
	defer func() { _ = back.Close() }()
	return onThread(back, func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter the network of node %d: %w", i, err)
		}
		return f()
	})
}

// onThread calls f, which may change the network namespace of its thread, on a thread of its own
// and brings the thread back to the namespace home. A thread that cannot be brought back is never
// used again: its goroutine ends while locked to it, and the runtime destroys it.
func onThread(home netns.NsHandle, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := errors.New("the function ended its goroutine")
		defer func() {
			if back := netns.Set(home); back != nil {
				err = errors.Join(err, fmt.Errorf("go back to the hub's network: %w", back))
			} else {
				runtime.UnlockOSThread()
			}
			result <- err
		}()
		err = f()
	}()
	return <-result
}

// Close removes the network, so that another can be made. Processes that are still in it lose
// their interfaces. Closing twice is no error.
func (s *Star) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var errs []error
	// Without a cable of its own this star failed to be made, perhaps beside another one.
	if slices.ContainsFunc(s.leaves, func(l leaf) bool { return l.link != nil }) {
		if err := removeCables(); err != nil {
			errs = append(errs, fmt.Errorf("remove the cables: %w", err))
		}
	}
	for i, l := range s.leaves {
		if err := l.ns.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the namespace of node %d: %w", i+1, err))
		}
	}
	if err := s.hub.Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the hub's namespace: %w", err))
	}
	return errors.Join(errs...)
}

// removeCables removes every veth pair that has an end in the hub.
func removeCables() error {
	req := nl.NewNetlinkRequest(unix.RTM_DELLINK, unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_GROUP, nl.Uint32Attr(cableGroup)))
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	if errors.Is(err, unix.ENODEV) {
		return nil // there are none
	}
	return err
}
