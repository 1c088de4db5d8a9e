package pcbtest

import (
	"fmt"

	"pcbbench/pcbinfo"
)

// linear_model.go: the plain table against which Linear holds histories, one place of it, as a value.

// A linState is what stands at a place.
type linState struct {
	listens [2]bool // the place's listeners
	lives   [linNames]linLife
}

// A linLife is where a four-tuple stands.
type linLife struct {
	at  linStage
	iss uint32 // in linConnecting
}

type linStage uint8

const (
	linNobody     linStage = iota
	linHalf                // in the syncache, so that no lookup finds it
	linConnecting          // SYN-SENT
	linOpened              // ESTABLISHED
	linClosing             // FIN-WAIT-1
)

var linStageNames = [...]string{"nobody", "half-open", "connecting", "open", "closing"}

func (l linLife) String() string {
	if l.at == linConnecting {
		return fmt.Sprintf("connecting, iss %d", l.iss)
	}
	return linStageNames[l.at]
}

// here reports whether it is in the table.
func (l linLife) here() bool { return l.at >= linConnecting }

// listened reports whether a listener fits the place's four-tuples, as all of them do.
func (s *linState) listened() bool { return s.listens[0] || s.listens[1] }

// apply does e and returns the answer, and the state after it.
func (s linState) apply(e *linEvent) (linSaid, linState) {
	life := &s.lives[e.at]
	switch {
	case e.act <= linPoke:
		return linSaid{err: e.act.onListener(&s.listens[e.at])}, s
	case e.act == linChoose && s.listened():
		return linSaid{err: pcbinfo.ErrNoPort}, s
	case e.act <= linSend:
		return linSaid{err: e.act.onUser(life, e.answer.iss)}, s
	case life.here():
		return linSaid{out: e.act.onPeer(life, e.acked)}, s
	case s.listened():
		return linSaid{out: e.act.onHalf(life)}, s
	}
	return linSaid{out: pcbinfo.DropNoPCB}, s
}

func (a linAct) onListener(there *bool) (err error) {
	switch {
	case a == linListen && *there:
		return pcbinfo.ErrInUse
	case a != linListen && !*there:
		return pcbinfo.ErrNotFound
	case a == linPoke:
		return pcbinfo.ErrPipe // a listener cannot send
	}
	*there = a == linListen
	return nil
}

// onUser is our user's request; iss is what a successful Connect begins with.
func (a linAct) onUser(l *linLife, iss uint32) error {
	switch {
	case a == linConnect && l.here():
		return pcbinfo.ErrInUse
	case a == linChoose && l.here():
		return pcbinfo.ErrNoPort
	case a == linConnect, a == linChoose:
		*l = linLife{at: linConnecting, iss: iss}
	case l.at == linNobody, l.at == linHalf && a != linAbort: // only Abort asks the syncache
		return pcbinfo.ErrNotFound
	case a == linAbort, a == linClose && l.at == linConnecting:
		*l = linLife{}
	case l.at == linClosing:
		return pcbinfo.ErrPipe
	case a == linClose:
		*l = linLife{at: linClosing}
	}
	return nil
}

// onPeer is a segment for a connection.
func (a linAct) onPeer(l *linLife, acked uint32) pcbinfo.Outcome {
	connecting := l.at == linConnecting
	expected := !connecting || acked == l.iss // ESTABLISHED and FIN-WAIT-1 believe a RST for its sequence number
	switch a {
	case linLookup:
		if connecting {
			return pcbinfo.DropAck
		}
		return pcbinfo.DropWindow
	case linReset:
		if expected {
			*l = linLife{}
			return pcbinfo.GotRst
		}
		return pcbinfo.DropRst
	case linAnswer:
		switch {
		case !expected:
			return pcbinfo.DropAck
		case connecting:
			*l = linLife{at: linOpened}
			return pcbinfo.GotConnect
		}
		return pcbinfo.DropOld
	case linComplete:
		return pcbinfo.GotAck
	case linOpen:
		return pcbinfo.DropOld // a copy of the SYN that opened it
	}
	return pcbinfo.DropRst // linLookupShared
}

// onHalf is a segment for a listener.
func (a linAct) onHalf(l *linLife) pcbinfo.Outcome {
	switch {
	case a == linOpen && l.at == linNobody:
		l.at = linHalf
		return pcbinfo.GotSyn
	case a == linOpen && l.at == linHalf:
		return pcbinfo.GotSynDup
	case a == linComplete && l.at == linHalf:
		l.at = linOpened
		return pcbinfo.GotAccept
	case a == linReset && l.at == linHalf:
		l.at = linNobody
		return pcbinfo.GotRst
	}
	return pcbinfo.DropListen
}
