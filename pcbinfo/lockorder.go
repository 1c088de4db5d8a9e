package pcbinfo

// LockOrder is the tree of this package's comment: the classes of locks, outer and inner, as package witness calls them. A class
// under itself may be held more than once.
var LockOrder = [][2]string{
	{"walk", "tcbinfo"},
	{"tcbinfo", "inpcb"},
	{"inpcb", "syncache bucket"},
	{"inpcb", "zone.mu"},
	{"walk", "group"},
	{"group", "group"},
	{"group", "zone.mu"},
	{"walk", "zone.mu"},
	{"walk", "inpcb"},
	{"inpcb", "inpcb"},
	{"inpcb", "hashLock"},
	{"inpcb", "listLock"},
	{"inpcb", "twLock"},
	{"listLock", "hashLock"},
	{"hashLock", "syncache bucket"},
	{"hashLock", "zone.mu"},
	{"hashLock", "pcbgroup"},
	{"pcbgroup", "pcbgroup"},
	{"inpcb", "ebucket"},
	{"ebucket", "wbucket"},
	{"ebucket", "syncache bucket"},
	{"ebucket", "zone.mu"},
}
