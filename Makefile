# pcbbench needs Go and make: the tools are modules named in go.mod. What builds other revisions needs git.
GO       ?= go
BIN      := bin/pcbbench
RESULTS  ?= results
# Flags for pcbbench bench, as in: make bench BENCHFLAGS='-schemes global,connp -workers 4'
BENCHFLAGS ?=
# Flags for pcbbench sweep, as in: make sweep SWEEPFLAGS='-dispatch direct,hybrid -arrivals burst'
SWEEPFLAGS ?=
# Flags for pcbbench schedules, as in: make schedules SCHEDULESFLAGS='-subjects locks/mtx -budget 10m'
SCHEDULESFLAGS ?=
# Flags for pcbbench ab, for the gate that measures by itself, and for aa, as in: make ab BASE=main ABFLAGS='-schemes smr -mixes rpc'
ABFLAGS ?=
AAFLAGS ?=
# Flags for pcbbench history, and why a file becomes the baseline, as in: make baseline FILE=… WHY='new processor'
HISTORYFLAGS ?=
export WHY   ?=
# Flags for pcbbench exact, as in: make exact EXACTFLAGS='-schemes smr -mixes churn -laps 10'
EXACTFLAGS ?=
# Flags for pcbbench locks, as in: make locks LOCKSFLAGS='-locks mtx,mcs -workers 8 -critical 0,100,1000'
LOCKSFLAGS ?=
# Flags for pcbbench profile and table1, as in: make profile PROFILEFLAGS='-schemes smr -sort cnt_lock'
PROFILEFLAGS ?=
TABLE1FLAGS  ?=
# Flags for pcbbench compare, as in: make compare OLD=a NEW=b COMPAREFLAGS='-format markdown'
COMPAREFLAGS ?=
# Flags for pcbbench torture and for the mutants, as in: make torture TORTUREFLAGS='-duration 8h'
TORTUREFLAGS ?=
MUTANTFLAGS  ?=

.PHONY: help torture mutants bench dispatch quick sweep handoff locks reclaim compare ab aa gate history baseline list build test race torture-test fuzz schedules exact profile table1 lint check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  variables: TRACE=file.pcap BENCHFLAGS='...' SWEEPFLAGS='...' TORTUREFLAGS='...' SCHEDULESFLAGS='...' COMPAREFLAGS='...' ABFLAGS='...' AAFLAGS='...' BASE=revision EXACTFLAGS='...' PROFILEFLAGS='...' TABLE1FLAGS='...' LOCKSFLAGS='...' MUTANTFLAGS='...' HISTORYFLAGS='...' OLD=file NEW=file FILE=file WHY='...' RESULTS=folder"

bench: build ## measure the default matrix (5 minutes) or, with TRACE=file.pcap, the replay of a capture
	@$(BIN) bench -results $(RESULTS) $(if $(TRACE),-trace '$(TRACE)') $(BENCHFLAGS)

dispatch: build ## every dispatch model under four schemes, each kind of traffic, 1 worker and all CPUs (10 minutes)
	@$(BIN) bench -results $(RESULTS) -dispatch all -schemes global,refcount,connp,smr -work 500 -budget 10m \
		-mixes bulk,churn,rpc,tpca,loopback,encap,forward,arp $(BENCHFLAGS)

quick: build ## a first table in 20 seconds
	@$(BIN) bench -quick -results $(RESULTS) $(BENCHFLAGS)

sweep: build ## offer each dispatch × scheme pair 10% to 120% of its maximum, and draw latency by throughput (10 minutes)
	@$(BIN) sweep -results $(RESULTS) $(SWEEPFLAGS)

handoff: build ## what handing a packet to another thread costs, by a workstream, a ring, a channel and a wake-up (half a minute)
	@$(BIN) handoff -results $(RESULTS)

locks: build ## every lock by itself: throughput, waiting and fairness, 1 worker, all CPUs and four times as many (3 minutes)
	@$(BIN) locks -results $(RESULTS) $(LOCKSFLAGS)

reclaim: build ## what safe memory reclamation costs readers and writers, and how much memory waits, also under a reader that stalls (a minute)
	@$(BIN) reclaim -results $(RESULTS)

compare: build ## compare two results files: OLD=… NEW=…; or the arms of one of pcbbench ab: OLD=…
	@test '$(OLD)' = baseline || test -f '$(OLD)' || { echo "make compare: OLD='$(OLD)' is no file" >&2; exit 2; }
	@test -z '$(NEW)' || test -f '$(NEW)' || { echo "make compare: NEW='$(NEW)' is no file" >&2; exit 2; }
	@$(BIN) compare $(COMPAREFLAGS) '$(OLD)' $(if $(NEW),'$(NEW)')

ab: build ## compare this checkout with BASE=revision, built and measured side by side (4 minutes): ABFLAGS='-schemes smr -mixes rpc'
	@$(BIN) ab -results $(RESULTS) $(ABFLAGS) '$(or $(BASE),main)'

aa: build ## the self-test: how often comparisons of the same code are wrong, and which planted slowdowns they find (45 minutes)
	@$(BIN) aa -results $(RESULTS) $(AAFLAGS)

gate: build ## say whether NEW=… is a regression of OLD=… (a second run: OLD2=… NEW2=…), or this checkout of BASE=revision; for scripts: bin/pcbbench gate exits 0 no, 1 yes, 2 unusable, 3 cannot tell
ifdef BASE
	@$(BIN) gate -results $(RESULTS) $(ABFLAGS) -base '$(BASE)'
else
	@test '$(OLD)' = baseline || test -f '$(OLD)' || { echo "make gate: OLD='$(OLD)' is no file: give OLD=… and NEW=…, or BASE=revision" >&2; exit 2; }
	@$(BIN) gate $(if $(OLD2),-again '$(OLD2)') $(if $(NEW2),-again '$(NEW2)') '$(OLD)' $(if $(NEW),'$(NEW)')
endif

history: build ## follow every benchmark of this machine over the commits, and say where it changed: HISTORYFLAGS='-filter /mix:rpc'
	@$(BIN) history -results $(RESULTS) $(HISTORYFLAGS)

baseline: build ## make a results file the baseline of its machine: FILE=… WHY='…'
	@test -f '$(FILE)' || { echo "make baseline: FILE='$(FILE)' is no file" >&2; exit 2; }
	@$(BIN) baseline -results $(RESULTS) -why "$$WHY" '$(FILE)'

torture: ## hold everything to what it promises under random schedules, in some 80 seconds
	@$(GO) build -pgo=off -tags torture,witness -o $(BIN)-torture ./harness/cmd/pcbbench
	@$(BIN)-torture torture -results $(RESULTS) $(TORTUREFLAGS)

mutants: ## plant bugs, one at a time, and count how many the torture sees (some hours)
	@$(GO) run -tags mutants ./harness/cmd/mutants -results $(RESULTS) $(MUTANTFLAGS)

list: build ## every scheme, lock, mix, dispatch model and set of roles
	@$(BIN) list

build: ## bin/pcbbench, without profile-guided optimization, which would favour one scheme
	@$(GO) build -pgo=off -o $(BIN) ./harness/cmd/pcbbench

test: ## all tests
	$(GO) test -timeout 30m ./...

race: ## all tests under the race detector
	$(GO) test -race -timeout 30m ./...

torture-test: ## the tests of locks and tables with random yields and lock order, of simulated schedules, of counts, and of the mutants' list
	$(GO) test -timeout 30m -tags torture,witness ./locks/... ./pcbinfo/... ./harness/torture
	$(GO) test -tags sim ./locks/probe ./harness/schedule
	$(GO) test -tags count ./locks/probe ./locks/witness
	$(GO) test -tags count -run Exact ./harness
	$(GO) test -tags count -race -run ExactDigits ./harness
	$(GO) test -tags profile ./locks/witness
	$(GO) test -tags profile -run Profile ./harness ./harness/cmd/pcbbench
	$(GO) test -tags mutants -short ./harness/mutants

schedules: ## small configurations of everything under chosen schedules, in a minute; failures replay
	@$(GO) build -pgo=off -tags sim -o $(BIN)-sim ./harness/cmd/pcbbench
	@$(BIN)-sim schedules -results $(RESULTS) $(SCHEDULESFLAGS)

exact: ## what one worker does to shared memory, in exact counts, for every scheme and mix (5 seconds)
	@$(GO) build -pgo=off -tags count -o $(BIN)-count ./harness/cmd/pcbbench
	@$(BIN)-count exact -results $(RESULTS) $(EXACTFLAGS)

profile: ## who waits for which lock, where, for how long and behind whom: PROFILEFLAGS='-schemes smr -mixes rpc'
	@$(GO) build -pgo=off -tags profile -o $(BIN)-profile ./harness/cmd/pcbbench
	@$(BIN)-profile profile -results $(RESULTS) $(PROFILEFLAGS)

table1: ## the contended share of a global lock and of connection groups, beside that of Willmann, Rixner and Cox (half a minute)
	@$(GO) build -pgo=off -tags profile -o $(BIN)-profile ./harness/cmd/pcbbench
	@$(BIN)-profile table1 -results $(RESULTS) $(TABLE1FLAGS)

lint: ## formatting, vet, staticcheck
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt: $$out" >&2; exit 1; }
	@for tags in none torture,witness sim count profile mutants; do \
		echo "vet, staticcheck -tags $$tags"; \
		$(GO) vet -tags $$tags ./... && $(GO) tool staticcheck -tags $$tags ./... || exit 1; \
	done

fuzz: ## a minute of fuzzing for each target
	$(GO) test ./workloads/pcap -run '^$$' -fuzz FuzzRead -fuzztime 60s
	$(GO) test ./pcbinfo -run '^$$' -fuzz FuzzSegments -fuzztime 60s
	$(GO) test ./pcbinfo/pcbtest -run '^$$' -fuzz FuzzMachine -fuzztime 60s
	$(GO) test ./workloads -run '^$$' -fuzz FuzzReplay -fuzztime 60s
	$(GO) test ./harness -run '^$$' -fuzz FuzzExperiment -fuzztime 60s
	$(GO) test ./harness/compare -run '^$$' -fuzz FuzzRead -fuzztime 60s
	$(GO) test ./harness/compare/file -run '^$$' -fuzz FuzzLoad -fuzztime 60s
	$(GO) test ./harness/cmd/pcbbench -run '^$$' -fuzz FuzzFlags -fuzztime 60s

check: ## what CI does
	bash .ci/run

clean: ## remove what was built
	rm -rf bin
