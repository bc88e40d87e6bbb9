/*
 * What the maps hold: keys and values as packages/datapath/src/ebpf/layout.ts writes them, byte for byte.
 *
 * Everything that a policy decides is *versioned*: an entry says what held before an epoch and what holds from it on. A
 * change writes its entries beside what is in force, and one store of the next epoch brings all of them into force at
 * once; a packet reads the epoch first and sees one policy whole.
 */
#ifndef BULKHEAD_LAYOUT_H
#define BULKHEAD_LAYOUT_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum plane { LIVE, SHADOW, CANARY, PLANES };
enum direction { EGRESS, INGRESS, DIRECTIONS };
enum verdict { ALLOW, DROP, REJECT };

/* IPv4 is in the first word; words are in network order. */
struct address {
	u32 family; /* 4 or 6 */
	u32 word[4];
};

struct subject_key {
	u8 plane;
	u8 direction;
	u16 family;
	u32 word[4];
};

/* `after` holds from epoch `since` on, `before` until then. What 0 means is the map's to say. */
struct versioned {
	u32 since;
	u32 before;
	u32 after;
};

/* A class by number, 0: not judged. This bit: it has time-bound decisions. */
#define CLASS_TIMED 0x80000000u

struct cell_key {
	u32 class; /* without CLASS_TIMED */
	u32 atom;  /* 0: everybody whom no atom holds; its row is the class's default */
};

/* Cells, versioned: rows by number, 0: the default row. This bit, for readers: the class lists these addresses one by one. */
#define ROW_EXACT 0x80000000u

struct prefix4 {
	u32 length;
	u32 word;
};

struct prefix6 {
	u32 length;
	u32 word[4];
};

/* A decision: the verdict above its number. */
#define VERDICT_SHIFT 30
#define DECISION_NUMBER 0x3fffffffu
#define NO_DECISION 0xffffffffu

struct interval {
	u16 first;
	u16 last;
	u8 protocol;
	u8 zero[3];
	u32 decision;
};

#define FEW 8

/* Never changed while anything refers to it. First of what follows that matches: `few`, single ports, ranges, `others`. */
struct row {
	u64 id;
	u8 digits;
	u8 count;
	u8 has_ports;
	u8 has_ranges;
	u32 others;
	struct interval few[FEW];
};

/* For readers: what a class's number stands for. */
struct class_name {
	u64 id;
	u8 digits;
	u8 plane;
	u8 direction;
	u8 zero[5];
};

struct port_key {
	u32 row;
	u16 port;
	u8 protocol;
	u8 zero;
};

/* Row, protocol and port in network order; at least 48 bits are compared. */
struct port_prefix {
	u32 length;
	u32 row;
	u16 protocol;
	u16 port;
};

/* Class and peer, in network order; at least 32 bits are compared. Versioned: a list by number, 0: none. */
struct timed_prefix4 {
	u32 length;
	u32 class;
	u32 word;
};

struct timed_prefix6 {
	u32 length;
	u32 class;
	u32 word[4];
};

struct timed_interval {
	u64 deadline; /* ns of the clock that also counts while the machine sleeps */
	u64 until;    /* the same moment, for readers: ms since 1970 */
	u32 decision;
	u16 first;
	u16 last;
	u8 protocol;
	u8 zero[7];
};

#define TIMED 8

/* Never changed while anything refers to it. */
struct timed_list {
	u32 count;
	u32 next; /* 0: no more */
	struct timed_interval entries[TIMED];
};

#define TIMED_LISTS 8

/* Of known addresses, versioned: these bits, and whose it is above them (0: nobody's alone). */
#define LOCAL_HOST 1
#define LOCAL_SERVED 2
#define LOCAL_OWNER_SHIFT 2

struct resolver_key {
	u32 family;
	u32 word[4];
	u32 port;
};

#define NODE_EXEMPT 1
#define HAIRPIN_EXEMPT 2

/* Two of them; the one of an even epoch and the one of an odd epoch. */
struct settings {
	u32 seed;
	u32 share; /* of 10,000 buckets; 0: no rollout */
	u32 flags;
};

/* Hits of one decision, by plane and direction. */
struct counter {
	u64 packets;
	u64 bytes;
};

#endif
