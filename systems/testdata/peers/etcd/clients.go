package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// httpClient speaks to kv and to raftexample: PUT and GET of a path.
type httpClient struct {
	base string
	http http.Client
}

func newHTTPClient(addr, prefix string) client {
	return &httpClient{
		base: "http://" + addr + prefix + "/",
		http: http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1}},
	}
}

func (c *httpClient) put(ctx context.Context, key, value string) error {
	_, err := c.do(ctx, http.MethodPut, key, strings.NewReader(value))
	return err
}

func (c *httpClient) get(ctx context.Context, key string) (string, error) {
	return c.do(ctx, http.MethodGet, key, http.NoBody)
}

func (c *httpClient) do(ctx context.Context, method, key string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+key, body)
	if err != nil {
		return "", err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	err = errors.Join(err, res.Body.Close())
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %s: %s", method, key, res.Status, text)
	}
	return string(text), err
}

// etcdClient is clientv3; its gets are linearizable unless told otherwise.
type etcdClient struct{ kv clientv3.KV }

func newEtcdClient(addr string) (client, error) {
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + addr}})
	if err != nil {
		return nil, err
	}
	return etcdClient{clientv3.NewKV(c)}, nil
}

func (c etcdClient) put(ctx context.Context, key, value string) error {
	_, err := c.kv.Put(ctx, key, value)
	return err
}

func (c etcdClient) get(ctx context.Context, key string) (string, error) {
	res, err := c.kv.Get(ctx, key)
	if err != nil {
		return "", err
	}
	if len(res.Kvs) != 1 {
		return "", fmt.Errorf("get %s: %d values", key, len(res.Kvs))
	}
	return string(res.Kvs[0].Value), nil
}
