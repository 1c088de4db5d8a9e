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
	{"inpcb", "ports"},
	{"ports", "syncache bucket"},
	{"ports", "listeners"},
	{"syncache bucket", "zone.mu"},
	{"syncache bucket", "shard"},
	{"shard", "listeners"},
	{"syncache bucket", "demux"},
	{"ports", "demux"},
	{"inpcb", "segment queue"},
}
