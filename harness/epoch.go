package harness

// Epoch numbers what an operation is: results of different epochs do not compare. It goes up by one with every change of that, which CHANGELOG.md then
// describes. Every results file has it as its fact epoch; a file without is of the first one.
const Epoch = "1"
