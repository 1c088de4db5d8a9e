package history

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// reports are the folders under a results folder that hold no machine's results.
var reports = []string{"aa", "exact", "mutants", "profile", "schedules", "table1", "torture"}

// Machines are the machines whose results the folder results holds, by name.
func Machines(results string) (names []string, err error) {
	entries, err := os.ReadDir(results)
	if err != nil {
		return nil, fmt.Errorf("results folder: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(reports, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Choose is the machine that is meant: name if it is given, else own if there are results of it, else the only one.
func Choose(results, name, own string) (string, error) {
	names, err := Machines(results)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", fmt.Errorf("%s holds no machine's results: make bench puts them there", results)
	case name != "" && !slices.Contains(names, name):
		return "", fmt.Errorf("%s holds no results of %q, but of %s", results, name, strings.Join(names, ", "))
	case name != "":
		return name, nil
	case slices.Contains(names, own):
		return own, nil
	case len(names) > 1:
		return "", fmt.Errorf("%s holds results of several machines and none of this one: choose with -machine among %s", results, strings.Join(names, ", "))
	}
	return names[0], nil
}

// resultsFiles are the results files of a machine's folder by name, which begins with their date, without those of skip, each of which must be there.
func resultsFiles(folder string, skip []string) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("results folder: %w", err)
	}
	left := slices.Clone(skip)
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.HasSuffix(name, ".txt") || name == baselineFile {
			continue
		}
		if i := slices.Index(left, name); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		paths = append(paths, filepath.Join(folder, name))
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%s holds no results file %q that could be left out", folder, left[0])
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s holds no results file", folder)
	}
	return paths, nil
}
