/*
 * Looking a flow up: the subject's class, the peer's atom, the row of the two, the row's decision; in both directions. This is
 * the whole of what a policy means to the kernel; the programs around it only say which flow a packet belongs to.
 */
#ifndef BULKHEAD_JUDGE_H
#define BULKHEAD_JUDGE_H

#include <linux/types.h>

#include <bpf/bpf_endian.h>

#include "maps.h"

enum protocol { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132, UDPLITE = 136 };

/* A connection in its original direction. */
struct flow {
	u16 family;
	u16 port; /* behind translation; ICMP: type * 256 + code; protocols without ports: 0 */
	u8 protocol;
	u8 from_machine; /* the machine itself is certainly the sender */
	u16 addressed_port;
	u32 source[4];
	u32 destination[4];
	u32 addressed[4]; /* the destination before translation */
};

struct judgement {
	u32 egress; /* a decision, or NO_DECISION */
	u32 ingress;
	u8 plane;
	u8 verdict;
};

static __always_inline u32 at_epoch(const struct versioned *entry, u32 epoch)
{
	return entry->since <= epoch ? entry->after : entry->before;
}

static __always_inline void copy_words(u32 *to, const u32 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

static __always_inline u32 class_of(u32 epoch, u8 plane, u8 direction, u16 family, const u32 *word)
{
	struct subject_key key = {.plane = plane, .direction = direction, .family = family};
	struct versioned *found;

	copy_words(key.word, word);
	found = bpf_map_lookup_elem(&bh_subjects, &key);
	return found ? at_epoch(found, epoch) : 0;
}

static __always_inline u32 atom_of(u32 epoch, u16 family, const u32 *word)
{
	struct address key = {.family = family};
	struct versioned *found;
	u32 atom;

	copy_words(key.word, word);
	found = bpf_map_lookup_elem(&bh_peers, &key);
	if (found) {
		atom = at_epoch(found, epoch);
		if (atom)
			return atom;
	}
	if (family == 4) {
		struct prefix4 whole = {.length = 32, .word = word[0]};

		found = bpf_map_lookup_elem(&bh_ranges4, &whole);
	} else {
		struct prefix6 whole = {.length = 128};

		copy_words(whole.word, word);
		found = bpf_map_lookup_elem(&bh_ranges6, &whole);
	}
	return found ? at_epoch(found, epoch) : 0;
}

static __always_inline u32 row_of(u32 epoch, u32 class, u32 atom)
{
	struct cell_key key = {.class = class, .atom = atom};
	struct versioned *found;
	u32 row = 0;

	if (atom) {
		found = bpf_map_lookup_elem(&bh_cells, &key);
		if (found)
			row = at_epoch(found, epoch);
	}
	if (!row) {
		key.atom = 0;
		found = bpf_map_lookup_elem(&bh_cells, &key);
		if (found)
			row = at_epoch(found, epoch);
	}
	return row & ~ROW_EXACT;
}

static __always_inline u32 decision_in(u32 number, u8 protocol, u16 port)
{
	struct row *row = bpf_map_lookup_elem(&bh_rows, &number);
	u32 *found;

	/* A class without a row is none of ours: nothing is known that would allow it. */
	if (!row)
		return (u32)DROP << VERDICT_SHIFT;
#pragma unroll
	for (int at = 0; at < FEW; at++) {
		if (at >= row->count)
			break;
		if (row->few[at].protocol == protocol && row->few[at].first <= port &&
		    port <= row->few[at].last)
			return row->few[at].decision;
	}
	if (row->has_ports) {
		struct port_key key = {.row = number, .port = port, .protocol = protocol};

		found = bpf_map_lookup_elem(&bh_ports, &key);
		if (found)
			return *found;
	}
	if (row->has_ranges) {
		struct port_prefix key = {
			.length = 64,
			.row = bpf_htonl(number),
			.protocol = bpf_htons(protocol),
			.port = bpf_htons(port),
		};

		found = bpf_map_lookup_elem(&bh_port_ranges, &key);
		if (found)
			return *found;
	}
	return row->others;
}

static __always_inline u32 timed_list_of(u32 epoch, u32 class, u16 family, const u32 *word)
{
	struct versioned *found;

	if (family == 4) {
		struct timed_prefix4 key = {
			.length = 64, .class = bpf_htonl(class), .word = word[0]};

		found = bpf_map_lookup_elem(&bh_timed4, &key);
	} else {
		struct timed_prefix6 key = {.length = 160, .class = bpf_htonl(class)};

		copy_words(key.word, word);
		found = bpf_map_lookup_elem(&bh_timed6, &key);
	}
	return found ? at_epoch(found, epoch) : 0;
}

/* NO_DECISION: nothing that has an end holds. */
__noinline u32 timed_decision(u32 number, u32 protocol, u32 port)
{
	u64 now = bpf_ktime_get_boot_ns();

	for (int lists = 0; lists < TIMED_LISTS && number; lists++) {
		struct timed_list *list = bpf_map_lookup_elem(&bh_timed_lists, &number);

		if (!list)
			break;
		for (u32 at = 0; at < TIMED; at++) {
			struct timed_interval *entry = &list->entries[at];

			if (at >= list->count)
				break;
			if (entry->protocol == protocol && entry->first <= port &&
			    port <= entry->last && now < entry->deadline)
				return entry->decision;
		}
		number = list->next;
	}
	return NO_DECISION;
}

__noinline u32 decide(struct flow *flow, u32 epoch, u32 plane, u32 direction)
{
	const u32 *subject, *peer;
	u32 class, timed;

	if (!flow)
		return NO_DECISION;
	subject = direction == EGRESS ? flow->source : flow->destination;
	peer = direction == EGRESS ? flow->destination : flow->source;
	class = class_of(epoch, plane, direction, flow->family, subject);
	if (!class)
		return NO_DECISION;
	if (class & CLASS_TIMED) {
		class &= ~CLASS_TIMED;
		timed = timed_list_of(epoch, class, flow->family, peer);
		if (timed) {
			timed = timed_decision(timed, flow->protocol, flow->port);
			if (timed != NO_DECISION)
				return timed;
		}
	}
	return decision_in(row_of(epoch, class, atom_of(epoch, flow->family, peer)), flow->protocol,
			   flow->port);
}

static __always_inline u32 rotate(u32 word, u32 bits)
{
	return (word << bits) | (word >> (32 - bits));
}

/* spec/canary-bucket.md: lookup3 over whole words. */
__noinline u32 bucket_of(struct flow *flow, u32 seed)
{
	u32 words[12] = {};
	u32 count = 0, a, b, c;

	if (!flow)
		return 0;
	if (flow->family == 4) {
		words[0] = flow->source[0];
		words[1] = flow->addressed[0];
		words[2] = flow->protocol;
		count = 3;
	} else {
		copy_words(words, flow->source);
		copy_words(words + 4, flow->addressed);
		words[8] = flow->protocol;
		count = 9;
	}
	switch (flow->protocol) {
	case ICMP:
	case TCP:
	case UDP:
	case ICMPV6:
	case SCTP:
	case UDPLITE:
		words[count == 3 ? 3 : 9] = bpf_htons(flow->addressed_port);
		count++;
	}
	a = b = c = 0xdeadbeef + count * 4 + seed;
#pragma unroll
	for (u32 at = 0; at < 9; at += 3) {
		if (count - at <= 3 || at >= count)
			break;
		a += words[at];
		b += words[at + 1];
		c += words[at + 2];
		a -= c;
		a ^= rotate(c, 4);
		c += b;
		b -= a;
		b ^= rotate(a, 6);
		a += c;
		c -= b;
		c ^= rotate(b, 8);
		b += a;
		a -= c;
		a ^= rotate(c, 16);
		c += b;
		b -= a;
		b ^= rotate(a, 19);
		a += c;
		c -= b;
		c ^= rotate(b, 4);
		b += a;
	}
	/* What is left: one to three words. */
	switch (count) {
	case 3:
		a += words[0];
		b += words[1];
		c += words[2];
		break;
	case 4:
		a += words[3];
		break;
	case 9:
		a += words[6];
		b += words[7];
		c += words[8];
		break;
	case 10:
		a += words[9];
		break;
	}
	c ^= b;
	c -= rotate(b, 14);
	a ^= c;
	a -= rotate(c, 11);
	b ^= a;
	b -= rotate(a, 25);
	c ^= b;
	c -= rotate(b, 16);
	a ^= c;
	a -= rotate(c, 4);
	b ^= a;
	b -= rotate(a, 14);
	c ^= b;
	c -= rotate(b, 24);
	return ((u64)c * 10000) >> 32;
}

static __always_inline u32 local_of(u32 epoch, u16 family, const u32 *word)
{
	struct address key = {.family = family};
	struct versioned *found;

	copy_words(key.word, word);
	found = bpf_map_lookup_elem(&bh_locals, &key);
	return found ? at_epoch(found, epoch) : 0;
}

static __always_inline int is_resolver(u32 epoch, struct flow *flow)
{
	struct resolver_key key = {.family = flow->family, .port = flow->port};
	struct versioned *found;

	if (flow->protocol != TCP && flow->protocol != UDP)
		return 0;
	copy_words(key.word, flow->destination);
	found = bpf_map_lookup_elem(&bh_resolvers, &key);
	return found && at_epoch(found, epoch);
}

#define DHCP4_SERVER 67
#define DHCP4_CLIENT 68
#define DHCP6_CLIENT 546
#define DHCP6_SERVER 547

/* RFC 2131 §4.1, RFC 8415 §7.1 */
static __always_inline int asks_all_servers(struct flow *flow)
{
	if (flow->family == 4)
		return flow->destination[0] == 0xffffffff;
	return flow->destination[0] == bpf_htonl(0xff020000) && flow->destination[1] == 0 &&
	       flow->destination[2] == 0 && flow->destination[3] == bpf_htonl(0x00010002);
}

#define EXEMPT_EGRESS 1
#define EXEMPT_INGRESS 2

/* Asked about where something is denied, and nowhere else: what is allowed does not pay for it. */
__noinline u32 exemptions_of(struct flow *flow, u32 epoch, u32 flags)
{
	u32 source, destination, exempt = 0;

	if (!flow)
		return 0;
	source = local_of(epoch, flow->family, flow->source);
	destination = local_of(epoch, flow->family, flow->destination);
	if ((flags & HAIRPIN_EXEMPT) && (source >> LOCAL_OWNER_SHIFT) &&
	    source >> LOCAL_OWNER_SHIFT == destination >> LOCAL_OWNER_SHIFT)
		return EXEMPT_EGRESS | EXEMPT_INGRESS;
	if (is_resolver(epoch, flow))
		exempt |= EXEMPT_EGRESS;
	if (flow->protocol == UDP) {
		u16 server = flow->family == 4 ? DHCP4_SERVER : DHCP6_SERVER;
		u16 client = flow->family == 4 ? DHCP4_CLIENT : DHCP6_CLIENT;

		if ((source & LOCAL_SERVED) && flow->port == server &&
		    (asks_all_servers(flow) || (flow->family == 4 && (destination & LOCAL_HOST))))
			exempt |= EXEMPT_EGRESS;
		if ((source & LOCAL_HOST) && (destination & LOCAL_SERVED) && flow->port == client)
			exempt |= EXEMPT_INGRESS;
	}
	if ((flags & NODE_EXEMPT) && flow->from_machine && (source & LOCAL_HOST))
		exempt |= EXEMPT_INGRESS;
	return exempt;
}

static __always_inline u8 verdict_of(u32 decision)
{
	return decision == NO_DECISION ? ALLOW : decision >> VERDICT_SHIFT;
}

static __always_inline void count_hit(u32 decision, u32 plane, u32 direction, u32 bytes)
{
	u32 at =
		(decision & DECISION_NUMBER) * PLANES * DIRECTIONS + plane * DIRECTIONS + direction;
	struct counter *counter;

	if (decision == NO_DECISION)
		return;
	counter = bpf_map_lookup_elem(&bh_counters, &at);
	if (!counter)
		return;
	counter->packets++;
	counter->bytes += bytes;
}

/* What holds for the flow on one plane; a denial that is exempt is as if nobody had asked. */
static __always_inline void judge_plane(struct flow *flow, u32 epoch, u32 plane, u32 flags,
					struct judgement *said)
{
	u32 exempt = 0;

	said->plane = plane;
	said->egress = decide(flow, epoch, plane, EGRESS);
	said->ingress = decide(flow, epoch, plane, INGRESS);
	if (verdict_of(said->egress) != ALLOW || verdict_of(said->ingress) != ALLOW) {
		exempt = exemptions_of(flow, epoch, flags);
		if (verdict_of(said->egress) != ALLOW && (exempt & EXEMPT_EGRESS))
			said->egress = NO_DECISION;
		if (verdict_of(said->ingress) != ALLOW && (exempt & EXEMPT_INGRESS))
			said->ingress = NO_DECISION;
	}
	said->verdict = verdict_of(said->egress);
	if (said->verdict == ALLOW)
		said->verdict = verdict_of(said->ingress);
}

/* Whether the flow takes part in a rollout decides by which plane it is judged. */
static __always_inline void judge(struct flow *flow, u32 epoch, struct judgement *said)
{
	u32 plane = LIVE, slot = epoch & 1;
	struct settings *settings = bpf_map_lookup_elem(&bh_settings, &slot);

	said->verdict = ALLOW;
	said->egress = said->ingress = NO_DECISION;
	if (!settings)
		return;
	if (settings->share && bucket_of(flow, settings->seed) < settings->share)
		plane = CANARY;
	judge_plane(flow, epoch, plane, settings->flags, said);
}

#endif
