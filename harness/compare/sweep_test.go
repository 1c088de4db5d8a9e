package compare

import (
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write golden files anew")

// open is a sample of an open loop.
func open(scheme, dispatch, rest, step string, offered, handled, p50, p99 float64, drops float64) string {
	return fmt.Sprintf("BenchmarkInput/scheme=%s/lock=default/dispatch=%s/%s/arrivals=poisson/%s\t1000\t%v ns/seg\t%v segs/s\t%v offered-segs/s\t"+
		"%v lat-p50-ns\t%v lat-p99-ns\t%v qdrops/arrival\t0 rxdrops/arrival\n",
		scheme, dispatch, rest, step, 1e9/handled, handled, offered, p50, p99, drops)
}

// hockey is a pair's samples: a closed loop of that peak, and p99 that is 20 times as high from the load knee on.
func hockey(scheme, dispatch, rest string, peak float64, knee int) (text string) {
	for _, noise := range []float64{1, 0.9, 1.2} {
		text += fmt.Sprintf("BenchmarkInput/scheme=%s/lock=default/dispatch=%s/%s\t1000\t%v ns/seg\t%v segs/s\n", scheme, dispatch, rest, 1e9/peak/noise, peak*noise)
		for load := 10; load <= 120; load += 10 {
			offered := peak * float64(load) / 100
			p99, drops := 4000*noise, 0.0
			if load > knee {
				p99, drops = 80_000*noise, 0.05
			}
			text += open(scheme, dispatch, rest, fmt.Sprintf("load=%d", load), offered, offered*(1-drops), p99/3, p99, drops)
		}
	}
	return text
}

// swept is a file with three schemes, two models and two mixes.
func swept() string {
	text := "cpu: Some CPU of 3 GHz\ncores: 16\nhypervisor: none\n"
	for i, rest := range []string{"mix=churn/workers=2", "mix=rpc/workers=2/roles=split"} {
		for j, scheme := range []string{"global", "connp:groups=16", "smr"} {
			text += hockey(scheme, "direct", rest, float64(1+i+j)*1e6, 60+10*i)
			text += hockey(scheme, "netisr2:policy=source", rest, float64(2+i+j)*4e5, 90)
		}
	}
	return text
}

func readSweep(t *testing.T, text string) *Sweep {
	t.Helper()
	return NewSweep(load(t, text))
}

// TestKneeTable compares the table with testdata/knees.txt, which go test -update writes.
func TestKneeTable(t *testing.T) {
	var got strings.Builder
	s := readSweep(t, swept())
	s.Sort([]string{"smr", "connp"}, []string{"netisr2"})
	if err := s.WriteKnees(&got); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "knees.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v; the table is\n%s\nwant\n%s", err, &got, want)
	}
}

// TestKnee checks where curves bend.
func TestKnee(t *testing.T) {
	const rest = "mix=churn/workers=2"
	at := func(load int, p99, drops float64) string {
		return open("global", "direct", rest, fmt.Sprintf("load=%d", load), 1e6, 1e6, 100, p99, drops)
	}
	for name, c := range map[string]struct{ text, want string }{
		"latency, at the limit and beyond": {at(10, 1000, 0) + at(50, 10_000, 0) + at(60, 10_001, 0), "50%"},
		"drops, at the limit and beyond":   {at(10, 1000, 0.001) + at(50, 1000, 0.001) + at(60, 1000, 0.0011), "50%"},
		"all lower loads":                  {at(10, 1000, 0) + at(20, 99_000, 0) + at(30, 1000, 0), "10%"},
		"none":                             {at(10, 1000, 0.01) + at(20, 1000, 0), ""},
		"no bend":                          {at(10, 1000, 0) + at(120, 1000, 0), "120%"},
		"loads by number":                  {at(100, 99_000, 0) + at(20, 1000, 0) + at(9, 1000, 0), "20%"},
		"medians of samples":               {at(10, 1000, 0) + at(20, 1000, 0) + at(20, 1100, 0) + at(20, 99_000, 0.5), "20%"},
		"rates":                            {open("global", "direct", rest, "rate=1000000", 1e6, 1e6, 1, 10, 0) + open("global", "direct", rest, "rate=200000", 2e5, 2e5, 1, 10, 0), "1000000/s"},
	} {
		s := readSweep(t, c.text)
		if len(s.Curves) != 1 {
			t.Fatalf("%s: %d curves", name, len(s.Curves))
		}
		if knee, ok := s.Curves[0].Knee(); knee.Step != c.want || ok != (c.want != "") {
			t.Errorf("%s: knee at %q, %v; want %q", name, knee.Step, ok, c.want)
		}
	}
}

// TestSweepOfClosedLoops: what has no arrivals is no curve.
func TestSweepOfClosedLoops(t *testing.T) {
	s := readSweep(t, lines("global", setting("churn", 10, 1, 0), 100))
	if len(s.Curves) != 0 || s.WriteSVG(io.Discard) == nil {
		t.Errorf("%d curves", len(s.Curves))
	}
}

// A shape is an SVG element with its numbers.
type shape struct {
	name, class, text string
	at                map[string]float64
	points            [][2]float64
}

// shapes parses SVG text.
func shapes(t *testing.T, text string) (list []shape) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			s := shape{name: e.Name.Local, at: map[string]float64{}}
			for _, a := range e.Attr {
				if v, err := strconv.ParseFloat(a.Value, 64); err == nil {
					s.at[a.Name.Local] = v
				}
				switch a.Name.Local {
				case "class":
					s.class = a.Value
				case "points":
					for p := range strings.FieldsSeq(a.Value) {
						var x, y float64
						if _, err := fmt.Sscanf(p, "%f,%f", &x, &y); err != nil {
							t.Fatalf("point %q: %v", p, err)
						}
						s.points = append(s.points, [2]float64{x, y})
					}
				}
			}
			list = append(list, s)
		case xml.CharData:
			if len(list) > 0 && list[len(list)-1].name == "text" {
				list[len(list)-1].text += string(e)
			}
		}
	}
}

func draw(t *testing.T, text string) []shape {
	t.Helper()
	var b strings.Builder
	if err := readSweep(t, text).WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	return shapes(t, b.String())
}

// TestPicture checks the geometry: panels lie on the canvas and not on each other, lines and marks within a panel, higher latency higher up and more throughput
// further right, and no text runs out of the picture or into another one.
func TestPicture(t *testing.T) {
	list := draw(t, swept())
	canvas := list[0].at
	var panels, texts []shape
	lines, marks, knees := 0, 0, 0
	for _, s := range list {
		switch {
		case s.class == "panel":
			panels = append(panels, s)
		case s.name == "text":
			texts = append(texts, s)
		case s.name == "polyline":
			lines++
			checkCurve(t, s)
		case s.class == "mark":
			marks++
		case s.class == "knee":
			knees++
		}
	}
	const curves, loads = 2 * 3 * 2, 12
	if len(panels) != 6 || lines != 2*curves || marks != curves*loads+2+1 || knees != curves+1 {
		t.Errorf("%d panels, %d lines, %d marks, %d knees with the legend's", len(panels), lines, marks, knees)
	}
	for i, p := range panels {
		if p.at["x"] < 0 || p.at["y"] < 0 || p.at["x"]+panelW > canvas["width"] || p.at["y"]+panelH > canvas["height"] {
			t.Errorf("panel %d lies at %v outside the picture of %v", i, p.at, canvas)
		}
		for _, q := range panels[:i] {
			if dx, dy := p.at["x"]-q.at["x"], p.at["y"]-q.at["y"]; dx < panelW && -dx < panelW && dy < panelH && -dy < panelH {
				t.Errorf("panels %v and %v overlap", p.at, q.at)
			}
		}
	}
	for _, s := range list {
		for _, p := range s.points {
			if s.name == "polyline" && !within(panels, p) {
				t.Errorf("point %v of a line lies outside of all panels", p)
			}
		}
	}
	checkTexts(t, texts, canvas["width"], canvas["height"])
}

// checkCurve checks hockey's bend: flat, then higher.
func checkCurve(t *testing.T, s shape) {
	t.Helper()
	first, last := s.points[0], s.points[len(s.points)-1]
	if last[1] >= first[1] || last[0] <= first[0] {
		t.Errorf("a line begins at %v and ends at %v", first, last)
	}
}

func within(panels []shape, p [2]float64) bool {
	for _, q := range panels {
		if x, y := p[0]-q.at["x"], p[1]-q.at["y"]; x >= 0 && x <= panelW && y >= 0 && y <= panelH {
			return true
		}
	}
	return false
}

// checkTexts estimates where texts are; a letter is at most 0.6 of its size wide on average. Rotated ones are left out.
func checkTexts(t *testing.T, texts []shape, w, h float64) {
	t.Helper()
	type box struct{ x0, x1, y0, y1 float64 }
	var boxes []box
	for _, s := range texts {
		if _, ok := s.at["x"]; !ok {
			continue
		}
		size := map[string]float64{"title": 16, "head": 13, "small": 12, "tick": 11}[s.class]
		if size == 0 {
			t.Fatalf("text %q has no size", s.text)
		}
		b := box{s.at["x"], s.at["x"], s.at["y"] - 0.7*size, s.at["y"]}
		width := 0.55 * size * float64(len(s.text))
		switch {
		case s.class == "tick" && s.text[len(s.text)-1] == 's':
			b.x0 -= width
		case s.class == "tick", s.text == "segments handled a second":
			b.x0, b.x1 = b.x0-width/2, b.x1+width/2
		default:
			b.x1 += width
		}
		if b.x0 < 0 || b.x1 > w || b.y0 < 0 || b.y1 > h {
			t.Errorf("text %q at %v runs out of %v × %v", s.text, b, w, h)
		}
		for _, o := range boxes {
			if b.x0 < o.x1 && o.x0 < b.x1 && b.y0 < o.y1 && o.y0 < b.y1 {
				t.Errorf("text %q at %v runs into another one at %v", s.text, b, o)
			}
		}
		boxes = append(boxes, b)
	}
}

// TestPictures draws what is unusual: nothing handled, one point, one scheme with a long name, more schemes than fit into a row, names that XML must not see.
func TestPictures(t *testing.T) {
	many := ""
	for i := range 9 {
		many += hockey(fmt.Sprintf("scheme%d", i), "direct", "mix=churn/workers=2", 1e6, 60)
	}
	for name, text := range map[string]string{
		"nothing handled": "BenchmarkInput/scheme=global/dispatch=direct/mix=churn/arrivals=poisson/load=10 1 5 segs/s 6 offered-segs/s\n",
		"one point":       open("global", "direct", "mix=churn", "load=10", 1, 1, 100, 100, 0),
		"long names":      hockey("global:"+strings.Repeat("x", 30), strings.Repeat("model", 8), "mix=churn", 1e9, 60),
		"markup":          hockey("<&\">", "'<b>&amp;", "mix=churn", 1e3, 60),
		"many schemes":    many,
	} {
		list := draw(t, text)
		texts := []shape{}
		for _, s := range list {
			if s.name == "text" {
				texts = append(texts, s)
			}
			for key, v := range s.at {
				if v != v {
					t.Errorf("%s: %s of a %s is NaN", name, key, s.name)
				}
			}
		}
		if name != "long names" {
			checkTexts(t, texts, list[0].at["width"], list[0].at["height"])
		}
	}
}
