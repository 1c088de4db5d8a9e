// Package inet holds the data structures of protocols beside TCP: a routing table, output queues, and a table of neighbours, as a router's and a host's
// packets meet them. What is done with them is the business of package workloads' mixes.
package inet
