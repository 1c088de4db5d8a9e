// Package workloadtest holds package workloads to what it promises, from outside: it lets a workload drive a table that writes down
// everything it is asked for, and checks that record.
//
// The table under the record is pcbtest's Reference, which shares no code with the schemes' tables, and the expectations are taken from
// the documentation of workloads.Params and of the mixes, from the protocol, and from Microsoft's definition of RSS: nothing is asked of the
// builder. A mix that is new here gets all checks but that of its grammar. Mixes without connections (packets.go) are watched where
// netisr gives their packets to handlers.
package workloadtest
