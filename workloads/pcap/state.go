package pcap

import "fmt"

// A State is the state of a connection on our host, as in RFC 9293, section 3.3.2. There is neither
// LISTEN, which is no connection, nor SYN_SENT, since our host is the passive side.
type State uint8

const (
	Closed      State = iota // no connection: closed by both sides, reset, refused, or replaced by a later one
	SynReceived              // half open
	Established
	CloseWait
	FinWait1
	Closing
	LastAck
	FinWait2
	TimeWait
)

var stateNames = [...]string{"CLOSED", "SYN_RCVD", "ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT_1", "CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}
