package pcbinfo

import (
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestLockOrderIsTheTree reads the tree in the package's comment, which must have exactly the edges that the witness is told.
func TestLockOrderIsTheTree(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	tree := treeEdges(file.Doc.Text())
	for _, e := range tree {
		if !slices.Contains(LockOrder, e) {
			t.Errorf("%s → %s is in the tree and not in LockOrder", e[0], e[1])
		}
	}
	for i, e := range LockOrder {
		if !slices.Contains(tree, e) {
			t.Errorf("%s → %s is in LockOrder and not in the tree", e[0], e[1])
		}
		if slices.Contains(LockOrder[:i], e) {
			t.Errorf("%s → %s is in LockOrder twice", e[0], e[1])
		}
	}
}

// treeEdges reads a tree whose root is walk: four columns a level, remarks in parentheses.
func treeEdges(doc string) (edges [][2]string) {
	_, tree, _ := strings.Cut(doc, "\n\twalk")
	path := []string{"walk"}
	for line := range strings.Lines(tree) {
		branch, class, ok := strings.Cut(line, "── ")
		if !ok {
			continue
		}
		class, _, _ = strings.Cut(strings.TrimSpace(class), " (")
		depth := (len([]rune(branch)) + 2) / 4 // the tab and the corner stand for a level's first two columns
		path = append(path[:depth], class)
		edges = append(edges, [2]string{path[depth-1], class})
	}
	return edges
}
