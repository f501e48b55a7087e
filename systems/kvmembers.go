package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"ordeal/cluster"
)

// kvStatus is what a kv node tells of itself. A member's id is no node's index: a node that has lost its
// disk comes back as another member, with the address it had.
type kvStatus struct {
	ID, Term, Leader, Applied uint64 // ids; Leader is 0 if it knows none
	Hash                      string
	Voters                    []uint64
	Members                   map[string]string // id → host:port, learners included
}

func (kvSystem) status(ctx context.Context, n cluster.NodeSpec) (s kvStatus, err error) {
	body, err := kvAsk(ctx, n, http.MethodGet, "/status")
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		return kvStatus{}, fmt.Errorf("status of %s: %w", n.ID, err)
	}
	return s, nil
}

// kvAsk sends a request of the harness's own. What is not answered with 200 is an error: a node that is no
// member (any more, or yet) answers nothing else.
func kvAsk(ctx context.Context, n cluster.NodeSpec, method, target string) (body []byte, err error) {
	conn := httpConn{addr: kvAddr(n)}
	defer conn.close()
	a, err := conn.do(ctx, method, target, nil)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, kvError(a)
	}
	return a.body, nil
}

// node is the name of the member with this id, "" if there is none.
func (s kvStatus) node(id uint64, peers []cluster.Peer) string {
	addr, known := s.Members[strconv.FormatUint(id, 10)]
	i := slices.IndexFunc(peers, func(p cluster.Peer) bool { return addr == kvAddrOf(p.Addr) })
	if !known || i < 0 {
		return ""
	}
	return peers[i].ID
}

func (s kvSystem) Ready(ctx context.Context, n cluster.NodeSpec) error {
	status, err := s.Status(ctx, n)
	if err != nil {
		return err
	}
	if status.Leader == "" {
		return errors.New("it knows no leader")
	}
	return nil
}

func (s kvSystem) Status(ctx context.Context, n cluster.NodeSpec) (Status, error) {
	told, err := s.status(ctx, n)
	if err != nil {
		return Status{}, err
	}
	return Status{Node: n.ID, Leader: told.node(told.Leader, n.Peers), Term: told.Term, Applied: told.Applied, Hash: told.Hash}, nil
}

// Voters leaves out a member whose address is no node's.
func (s kvSystem) Voters(ctx context.Context, leader cluster.NodeSpec) (map[string]string, error) {
	told, err := s.status(ctx, leader)
	if err != nil {
		return nil, err
	}
	if told.Leader != told.ID {
		return nil, fmt.Errorf("%s does not lead", leader.ID)
	}
	voters := map[string]string{}
	for _, id := range told.Voters {
		if name := told.node(id, leader.Peers); name != "" {
			voters[name] = strconv.FormatUint(id, 10)
		}
	}
	return voters, nil
}

func (s kvSystem) Joined(ctx context.Context, n cluster.NodeSpec) error {
	told, err := s.status(ctx, n)
	switch {
	case err != nil:
		return err
	case !slices.Contains(told.Voters, told.ID):
		return fmt.Errorf("%s, as member %d, does not vote", n.ID, told.ID)
	case told.Leader == 0:
		return fmt.Errorf("%s knows no leader", n.ID)
	}
	return nil
}

func (s kvSystem) Remove(ctx context.Context, leader, n cluster.NodeSpec) error {
	id, err := s.memberID(ctx, leader, n)
	if err == nil {
		_, err = kvAsk(ctx, leader, http.MethodDelete, "/members/"+id)
	}
	if err != nil {
		return fmt.Errorf("remove %s by %s: %w", n.ID, leader.ID, err)
	}
	return nil
}

func (s kvSystem) Transfer(ctx context.Context, leader, to cluster.NodeSpec) error {
	id, err := s.memberID(ctx, leader, to)
	if err == nil {
		_, err = kvAsk(ctx, leader, http.MethodPost, "/leader/"+id)
	}
	if err != nil {
		return fmt.Errorf("leadership from %s to %s: %w", leader.ID, to.ID, err)
	}
	return nil
}

// memberID is the voter that n is, as leader tells.
func (s kvSystem) memberID(ctx context.Context, leader, n cluster.NodeSpec) (string, error) {
	voters, err := s.Voters(ctx, leader)
	if err != nil {
		return "", err
	}
	if voters[n.ID] == "" {
		return "", fmt.Errorf("%s is no voter", n.ID)
	}
	return voters[n.ID], nil
}
