package harness
import ("testing";"time";"fmt";"math/rand/v2";"pcbbench/locks/probe";"runtime/pprof";"os";"pcbbench/locks/witness")
func TestZZ(t *testing.T){
 for _,w:=range []bool{true,false}{
 witness.Enable(w)
 for _,r:=range []probe.Rates{{},{Yield: 16, Delay: 16, Sleep: 1 << 12}, {Yield: 4, Delay: 8, Sleep: 1 << 12}, {Yield: 64, Delay: 8}, {Sleep: 1 << 10}} {
 probe.SetRates(r)
 probe.Seed(3)
 b,_:=newBench(2)
 au:=&auditor{beat:func(int){}}
 fmt.Println(r,w)
 if r.Yield==4 { f,_:=os.Create("/tmp/hc/prof"); pprof.StartCPUProfile(f); defer pprof.StopCPUProfile() }
 for i:=range 3 { rng:=rand.New(rand.NewPCG(uint64(i),1)); e:=drawExperiment(rng); s1:=time.Now(); err:=b.checkSample(rand.New(rand.NewPCG(uint64(i),1)),au); fmt.Println(" ",e.Scheme,e.Workload.Workers,e.Workload.Walkers,e.Workload.Batch,e.Workload.Affinity,time.Since(s1),err)}
 if r.Yield==4 { pprof.StopCPUProfile() }
}}}
