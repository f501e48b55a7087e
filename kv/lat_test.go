package kv
import ("testing";"time";"fmt";"slices";"strings";"sync")
func TestLat(t *testing.T) {
	c := newCluster(t, 3, nil)
	for id := range c.peers { c.must(200, id, "PUT", "/kv/warm", "x") }
	fmt.Println("leader", c.status(1).Leader)
	for _, mix := range []string{"PUT","GET","MIX"} { for _, K := range []int{1,20} {
		var mu sync.Mutex; all := map[string][]time.Duration{}; var wg sync.WaitGroup
		begin:=time.Now()
		type st struct{ n int64; d time.Duration; c int}
		snap := func() map[uint64]st { m := map[uint64]st{}; for i,n := range c.nodes { s:=n.disk.db.Stats(); m[i]=st{s.TxStats.GetWrite(), s.TxStats.GetWriteTime(), int(s.TxStats.GetSpill())} }; return m }
		s0 := snap(); last0 := c.status(1).Last
		for k := range K { wg.Go(func(){ for i := range 6000/K/2 { b:=time.Now(); meth,path:=mix,"/kv/warm"; if mix=="MIX" { meth = []string{"GET","PUT"}[i%2] }; code,_,_ := c.do(uint64(k%3+1), meth, path, strings.Repeat("v",100)); if code!=200 {t.Error(code)}; d:=time.Since(b); mu.Lock(); all[meth]=append(all[meth],d); mu.Unlock() } }) }
		wg.Wait(); el:=time.Since(begin)
		fmt.Println(mix, K, "op/s", int(3000/el.Seconds()), el, "entries", c.status(1).Last-last0)
		for m, a := range all { slices.Sort(a); fmt.Println("  ", m, "p50", a[len(a)/2], "p90", a[len(a)*9/10], "p99", a[len(a)*99/100]) }
		s1 := snap(); for i := range s1 { n:=s1[i].n-s0[i].n; fmt.Println("  node", i, "page writes", n, "time in write", s1[i].d-s0[i].d, "spills", s1[i].c-s0[i].c) }
	}}
}
