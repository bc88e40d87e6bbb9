/*
 * What is told of packets, through one ring: denials, each kind once in an interval; and the first packet of a connection
 * that passes, with what the shadow plane would have said of it. What is not told is counted.
 */
#ifndef BULKHEAD_EVENTS_H
#define BULKHEAD_EVENTS_H

#include "connection.h"

enum event_kind { EVENT_FORWARDED, EVENT_DROPPED, EVENT_REJECTED, EVENT_AUDIT };
enum stray {
	STRAY_NO_CONNECTION,
	STRAY_NOT_SYN,
	STRAY_FALSE_SOURCE,
	STRAY_SUPPRESSED,
	STRAY_LOST,
	STRAYS
};

struct event {
	u64 time; /* ns since boot */
	u32 decision;
	u8 kind;
	u8 direction;
	u8 reply;
	u8 translated;
	u16 family;
	u16 source_port;
	u16 port;
	u16 addressed_port;
	u8 protocol;
	u8 zero[3];
	u32 bytes;
	u32 source[4];
	u32 destination[4];
	u32 addressed[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4194304);
} bh_events SEC(".maps");

DEFINE_MAP(bh_strays, BPF_MAP_TYPE_PERCPU_ARRAY, STRAYS, u32, u64, 0);

struct quiet_key {
	u32 source[4];
	u32 destination[4];
	u16 port;
	u8 protocol;
	u8 audit;
};

/* When a kind was told last. Whoever is pushed out is told again: nothing is decided here. */
DEFINE_MAP(bh_quiet, BPF_MAP_TYPE_LRU_HASH, 65536, struct quiet_key, u64, 0);

#define QUIET_NS 2000000000ull

static __always_inline void count_stray(u32 kind)
{
	u64 *count = bpf_map_lookup_elem(&bh_strays, &kind);

	if (count)
		*count += 1;
}

static __always_inline int was_told(const struct connection *connection, u8 audit)
{
	struct quiet_key key = {.port = connection->flow.port,
				.protocol = connection->flow.protocol,
				.audit = audit};
	u64 now = bpf_ktime_get_boot_ns();
	u64 *last;

	copy_words(key.source, connection->flow.source);
	copy_words(key.destination, connection->flow.destination);
	last = bpf_map_lookup_elem(&bh_quiet, &key);
	if (last && now - *last < QUIET_NS)
		return 1;
	bpf_map_update_elem(&bh_quiet, &key, &now, BPF_ANY);
	return 0;
}

__noinline int tell(struct connection *connection, u32 kind, u32 direction, u32 decision, u32 bytes)
{
	struct event *event;

	if (!connection)
		return 0;
	event = bpf_ringbuf_reserve(&bh_events, sizeof(*event), 0);
	if (!event) {
		count_stray(STRAY_LOST);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time = bpf_ktime_get_boot_ns();
	event->decision = decision;
	event->kind = kind;
	event->direction = direction;
	event->reply = connection->reply;
	event->translated = !!(connection->status & STATUS_DST_NAT);
	event->family = connection->flow.family;
	event->source_port = connection->source_port;
	event->port = connection->flow.port;
	event->addressed_port = connection->flow.addressed_port;
	event->protocol = connection->flow.protocol;
	event->bytes = bytes;
	copy_words(event->source, connection->flow.source);
	copy_words(event->destination, connection->flow.destination);
	copy_words(event->addressed, connection->flow.addressed);
	bpf_ringbuf_submit(event, 0);
	return 1;
}

static __always_inline void tell_denial(struct connection *connection, const struct judgement *said)
{
	u32 direction = verdict_of(said->egress) != ALLOW ? EGRESS : INGRESS;
	u32 decision = direction == EGRESS ? said->egress : said->ingress;

	if (was_told(connection, 0)) {
		count_stray(STRAY_SUPPRESSED);
		return;
	}
	tell(connection, said->verdict == DROP ? EVENT_DROPPED : EVENT_REJECTED, direction,
	     decision, 0);
}

/* A connection begins: what would have been denied by what is only tried is told as that, and all else as what it is. */
static __always_inline void tell_first(struct connection *connection, u32 epoch, u32 bytes)
{
	u32 direction = EGRESS;
	u32 decision = decide(&connection->flow, epoch, SHADOW, EGRESS);

	count_hit(decision, SHADOW, EGRESS, bytes);
	if (verdict_of(decision) == ALLOW) {
		direction = INGRESS;
		decision = decide(&connection->flow, epoch, SHADOW, INGRESS);
		count_hit(decision, SHADOW, INGRESS, bytes);
	}
	if (verdict_of(decision) == ALLOW) {
		tell(connection, EVENT_FORWARDED, 0, NO_DECISION, bytes);
		return;
	}
	if (was_told(connection, 1)) {
		count_stray(STRAY_SUPPRESSED);
		return;
	}
	tell(connection, EVENT_AUDIT, direction, decision, bytes);
}

#endif
