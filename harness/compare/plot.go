package compare

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// plot.go draws a Sweep as SVG text: a row of panels a setting, a panel a scheme, a line a dispatch model.

// What the picture is made of, in pixels.
const (
	panelW, panelH = 300.0, 230.0
	leftPad        = 64.0 // of a panel, for its axis
	topPad         = 26.0 // of a panel, for its title
	bottomPad      = 44.0 // of a panel, for its axis
	rightPad       = 18.0
	cellW          = leftPad + panelW + rightPad
	cellH          = topPad + panelH + bottomPad
	margin         = 20.0
	rowTitle       = 24.0
	perRow         = 4   // panels; more go into another row
	glyph          = 6.6 // width of a letter of 12 pixels, on the safe side
	legendLine     = 20.0
	keyW           = 34.0 // of a line's sample in the legend
)

// colors are those of Okabe and Ito, which the color-blind tell apart, the lightest left out; marks tell lines apart in print.
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000"}

// A canvas collects SVG elements.
type canvas struct {
	b    strings.Builder
	w, h float64
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(&c.b, format+"\n", args...) }

// text writes s; anchor is start, middle or end.
func (c *canvas) text(x, y float64, anchor, class, s string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(s))
}

// WriteSVG draws s: median and 99th percentile of latency by what is handled, where the latter's rise is the knee. An error is w's, or says that
// there is nothing to draw.
func (s *Sweep) WriteSVG(w io.Writer) error {
	if len(s.Curves) == 0 {
		return fmt.Errorf("no open loop to draw")
	}
	c := &canvas{w: margin*2 + cellW*float64(min(perRow, s.mostSchemes()))}
	names := s.dispatches()
	c.h = margin
	for _, line := range wrap("Latency from the intended arrival, by segments handled a second", c.w, 16.0/12*glyph) {
		c.h += 18
		c.text(margin, c.h, "start", "title", line)
	}
	for _, line := range wrap(s.Machine, c.w, glyph) {
		c.h += 18
		c.text(margin, c.h, "start", "small", line)
	}
	c.legend(names)
	for _, setting := range s.settings() {
		c.row(setting, s.of(setting), names)
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f"
 font-family="Helvetica, Arial, sans-serif" font-size="12">
<style>.title{font-size:16px;font-weight:bold}.head{font-size:13px;font-weight:bold}.small{font-size:12px;fill:#444}.tick{font-size:11px;fill:#444}</style>
<rect x="0" y="0" width="100%%" height="100%%" fill="#ffffff"/>
%s</svg>
`, c.w, c.h+margin, c.w, c.h+margin, &c.b)
	return err
}

// dispatches are all curves', each with its color for the whole picture.
func (s *Sweep) dispatches() (names []string) {
	for _, c := range s.Curves {
		if !slices.Contains(names, c.Dispatch) {
			names = append(names, c.Dispatch)
		}
	}
	return names
}

// mostSchemes is how many panels the longest row would have.
func (s *Sweep) mostSchemes() (most int) {
	for _, setting := range s.settings() {
		most = max(most, len(schemesOf(s.of(setting))))
	}
	return most
}

func schemesOf(curves []*Curve) (names []string) {
	for _, c := range curves {
		if !slices.Contains(names, c.Scheme) {
			names = append(names, c.Scheme)
		}
	}
	return names
}

// wrap breaks s at blanks into lines that fit into a canvas of that width.
func wrap(s string, width, glyph float64) (lines []string) {
	most := int((width - 2*margin) / glyph)
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > most {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// legend says what colors and marks mean.
func (c *canvas) legend(names []string) {
	c.h += legendLine + 4
	x := margin
	entry := func(label string, draw func(x, y float64)) {
		need := keyW + float64(len(label))*glyph + 18
		if x > margin && x+need > c.w-margin {
			x = margin
			c.h += legendLine
		}
		draw(x, c.h-4)
		c.text(x+keyW, c.h, "start", "small", label)
		x += need
	}
	for i, name := range names {
		entry(name, func(x, y float64) {
			c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="2"/>`, x, y, x+keyW-8, y, color(i))
			c.mark(i, x+(keyW-8)/2, y, true)
		})
	}
	grey := len(colors) - 1
	sample := func(style string) func(x, y float64) {
		return func(x, y float64) {
			c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#444444" %s/>`, x, y, x+keyW-8, y, style)
		}
	}
	entry("p99", sample(p99Style))
	entry("p50", sample(p50Style))
	entry(fmt.Sprintf("over %s dropped", percent(KneeDrops)), func(x, y float64) { c.mark(grey, x+13, y, false) })
	entry("knee", func(x, y float64) { c.ring(grey, x+13, y) })
}

// How the two percentiles' lines are drawn.
const (
	p99Style = `stroke-width="2"`
	p50Style = `stroke-width="1.2" stroke-dasharray="4 3"`
)

func color(i int) string { return colors[i%len(colors)] }

// mark draws line i's mark, hollow where segments were dropped.
func (c *canvas) mark(i int, x, y float64, full bool) {
	fill := "#ffffff"
	if full {
		fill = color(i)
	}
	const r = 3.5
	style := fmt.Sprintf(`class="mark" fill="%s" stroke="%s" stroke-width="1.5"`, fill, color(i))
	switch i % 3 {
	case 0:
		c.add(`<circle cx="%.1f" cy="%.1f" r="%.1f" %s/>`, x, y, r, style)
	case 1:
		c.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" %s/>`, x-r, y-r, 2*r, 2*r, style)
	default:
		c.add(`<polygon points="%.1f,%.1f %.1f,%.1f %.1f,%.1f" %s/>`, x, y-r-1, x+r+1, y+r, x-r-1, y+r, style)
	}
}

// ring draws what marks the knee.
func (c *canvas) ring(i int, x, y float64) {
	c.add(`<circle cx="%.1f" cy="%.1f" r="7.5" fill="none" stroke="%s" stroke-width="1.5" class="knee"/>`, x, y, color(i))
}

// row draws a setting's panels, all on the same axes.
func (c *canvas) row(setting string, curves []*Curve, names []string) {
	c.h += 8
	for _, line := range wrap(setting, c.w, 13.0/12*glyph*1.05) {
		c.h += rowTitle - 6
		c.text(margin, c.h, "start", "head", line)
	}
	ax := newAxes(curves)
	for i, scheme := range schemesOf(curves) {
		if i > 0 && i%perRow == 0 {
			c.h += cellH
		}
		p := panel{canvas: c, axes: ax, x: margin + float64(i%perRow)*cellW + leftPad, y: c.h + topPad}
		p.frame(scheme)
		for _, curve := range curves {
			if curve.Scheme == scheme {
				p.curve(curve, slices.Index(names, curve.Dispatch))
			}
		}
	}
	c.h += cellH
}

// axes are what a row's panels share.
type axes struct {
	most   float64 // segments a second, at the right edge
	step   float64 // between ticks
	lo, hi float64 // powers of ten, in seconds
}

func newAxes(curves []*Curve) axes {
	a := axes{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, c := range curves {
		for _, p := range c.Points {
			if a.most = max(a.most, p.Handled); p.P99 > 0 && p.P50 > 0 {
				a.lo, a.hi = min(a.lo, p.P50), max(a.hi, p.P99)
			}
		}
	}
	if a.lo > a.hi {
		a.lo, a.hi = 1e-6, 1e-3
	}
	a.lo, a.hi = math.Floor(math.Log10(a.lo)), math.Ceil(math.Log10(a.hi)+1e-9)
	a.hi = max(a.hi, a.lo+1)
	a.most = max(a.most, 1) * 1.05
	a.step = niceStep(a.most / 4)
	return a
}

// niceStep is the next of 1, 2 and 5 times a power of ten.
func niceStep(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*unit {
			return m * unit
		}
	}
	return 10 * unit
}

// A panel is one scheme's.
type panel struct {
	*canvas
	axes
	x, y float64 // of its top left corner
}

// at is where a latency of pt is drawn.
func (p *panel) at(pt Point, seconds float64) (x, y float64) {
	return p.x + pt.Handled/p.most*panelW, p.y + panelH*(p.hi-math.Log10(seconds))/(p.hi-p.lo)
}

// frame draws grid, ticks and titles.
func (p *panel) frame(scheme string) {
	p.text(p.x, p.y-8, "start", "head", scheme)
	for e := p.lo; e <= p.hi; e++ {
		y := p.y + panelH*(p.hi-e)/(p.hi-p.lo)
		p.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#d0d0d0"/>`, p.x, y, p.x+panelW, y)
		p.text(p.x-6, y+4, "end", "tick", span(math.Pow(10, e)))
		for _, m := range []float64{2, 5} {
			if e < p.hi {
				minor := y - panelH*math.Log10(m)/(p.hi-p.lo)
				p.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#eeeeee"/>`, p.x, minor, p.x+panelW, minor)
			}
		}
	}
	for v := 0.0; v <= p.most; v += p.step {
		x := p.x + v/p.most*panelW
		p.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#d0d0d0"/>`, x, p.y, x, p.y+panelH)
		label := "0"
		if v > 0 {
			label = count(v)
		}
		p.text(x, p.y+panelH+15, "middle", "tick", label)
	}
	p.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="#888888" class="panel"/>`, p.x, p.y, panelW, panelH)
	p.text(p.x+panelW/2, p.y+panelH+31, "middle", "small", "segments handled a second")
	p.add(`<text transform="translate(%.1f,%.1f) rotate(-90)" text-anchor="middle" class="small">latency</text>`, p.x-48, p.y+panelH/2)
}

// curve draws one dispatch model's lines, its knee last so that it lies on top.
func (p *panel) curve(c *Curve, i int) {
	points := slices.DeleteFunc(slices.Clone(c.Points), func(pt Point) bool { return pt.P99 == 0 || pt.P50 == 0 })
	line := func(style string, of func(Point) float64) {
		var at []string
		for _, pt := range points {
			x, y := p.at(pt, of(pt))
			at = append(at, fmt.Sprintf("%.1f,%.1f", x, y))
		}
		p.add(`<polyline points="%s" fill="none" stroke="%s" stroke-linejoin="round" %s/>`, strings.Join(at, " "), color(i), style)
	}
	line(p50Style, func(pt Point) float64 { return pt.P50 })
	line(p99Style, func(pt Point) float64 { return pt.P99 })
	for _, pt := range points {
		x, y := p.at(pt, pt.P99)
		p.mark(i, x, y, pt.Drops <= KneeDrops)
	}
	if knee, ok := c.Knee(); ok && knee.P50 > 0 {
		x, y := p.at(knee, knee.P99)
		p.ring(i, x, y)
	}
}
