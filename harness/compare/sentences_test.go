package compare

import "testing"

func TestSentences(t *testing.T) {
	churn1, churn2 := setting("churn", 1024, 1, 0), setting("churn", 1024, 2, 0)
	bulk1, bulk2 := setting("bulk", 1024, 1, 500), setting("bulk", 1024, 2, 500)
	churn10 := setting("churn", 1024, 10, 0)
	for name, c := range map[string]struct{ text, want string }{
		"winner": {lines("global", churn1, about(150)...) + lines("smr", churn1, about(100)...) + lines("connp", churn1, about(200)...),
			"With 1 worker smr won 1 of 1 settings (churn work=0) by 50% in the median over the next."},
		"tie": {lines("global", churn2, about(100)...) + lines("smr", churn2, about(100.05)...),
			"With 2 workers 1 of 1 had no clear winner."},
		"tie for the lead": {lines("global", churn1, about(100)...) + lines("smr", churn1, about(100.05)...) + lines("connp", churn1, about(200)...),
			"With 1 worker global or smr won 1 of 1 settings (churn work=0) by 100% in the median over the next."},
		"too few samples": {lines("global", churn1, 100, 101, 102) + lines("smr", churn1, 200, 201, 202),
			"With 1 worker 1 of 1 had no clear winner."},
		"fewest and most, by number": {lines("global", churn10, about(100)...) + lines("smr", churn10, about(110)...) +
			lines("global", churn2, about(120)...) + lines("smr", churn2, about(100)...) +
			lines("global", setting("churn", 1024, 4, 0), about(1)...) + lines("smr", setting("churn", 1024, 4, 0), about(100)...),
			"With 2 workers smr won 1 of 1 settings (churn work=0) by 20% in the median over the next.\n" +
				"With 10 workers global won 1 of 1 settings (churn work=0) by 10% in the median over the next."},
		"several winners": {lines("global", churn2, about(100)...) + lines("smr", churn2, about(125)...) +
			lines("global", bulk2, about(130)...) + lines("smr", bulk2, about(100)...) +
			lines("global", setting("rpc", 10, 2, 0), about(110)...) + lines("smr", setting("rpc", 10, 2, 0), about(100)...) +
			lines("global", setting("tpca", 10, 2, 0), about(100)...) + lines("smr", setting("tpca", 10, 2, 0), about(100)...),
			"With 2 workers smr won 2 of 4 settings (bulk work=500, rpc work=0) by 20% in the median over the next, " +
				"and global won 1 of 4 settings (churn work=0) by 25% in the median over the next, and 1 of 4 had no clear winner."},
		"controls": {lines("global", bulk1, about(110)...) + lines("smr", bulk1, about(100)...) + lines("null", bulk1, about(10)...) + lines("unsync", bulk1, about(20)...),
			"With 1 worker smr won 1 of 1 settings (bulk work=500) by 10% in the median over the next."},
		"one scheme and a control": {lines("global", churn1, about(100)...) + lines("null", churn1, about(10)...),
			"With 1 worker no two schemes can be compared."},
		"no work in the name": {lines("global", "mix=churn/workers=1", about(100)...) + lines("smr", "mix=churn/workers=1", about(200)...),
			"With 1 worker global won 1 of 1 settings (churn) by 100% in the median over the next."},
		"roles of some": {lines("global", churn1, about(100)...) + lines("smr", churn1, about(200)...) +
			lines("global", churn1+"/roles=split", about(100)...) + lines("smr", churn1+"/roles=split", about(200)...),
			"With 1 worker global won 2 of 2 settings (churn work=0, churn work=0 roles=split) by 100% in the median over the next."},
		"no workers in the name": {lines("global", "mix=churn", about(100)...) + lines("smr", "mix=churn", about(200)...),
			"No result names its number of workers."},
	} {
		if got := table(t, c.text).Sentences([]string{"null", "unsync"}); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

// TestWinnerByMedian checks that one wild sample does not make or break a winner's lead.
func TestWinnerByMedian(t *testing.T) {
	at := setting("churn", 1024, 1, 0)
	text := lines("global", at, append(about(200), 200)...) + lines("smr", at, append(about(100), 5000)...)
	want := "With 1 worker smr won 1 of 1 settings (churn work=0) by 100% in the median over the next."
	if got := table(t, text).Sentences(nil); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
