/* What of a packet's own headers decides something: who it says it is from, and how it begins. */
#ifndef BULKHEAD_HEADERS_H
#define BULKHEAD_HEADERS_H

#include <linux/bpf.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "judge.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *found) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *from, __u32 offset, void *buffer,
			      __u32 size) __ksym;

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

struct headers {
	u32 source[4];
	u32 destination[4];
	u16 family;
	u8 protocol;
	u8 flags; /* TCP: FIN, SYN, RST and ACK. Headers that cannot be read have none */
	u8 hops;
	u8 type;     /* ICMP */
	u8 readable; /* protocol and what follows are what the packet says */
};

/* Extension headers that are passed over; whatever comes behind more of them is not readable. */
#define EXTENSIONS 6

enum extension {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION = 60,
	MOBILITY = 135
};

struct extension_header {
	u8 next;
	u8 length;
	u16 offset; /* FRAGMENT: of this piece, in its upper 13 bits */
	u32 rest;
};

static __always_inline int passes_over(u8 protocol)
{
	return protocol == HOP_BY_HOP || protocol == ROUTING || protocol == DESTINATION ||
	       protocol == MOBILITY || protocol == FRAGMENT || protocol == AUTHENTICATION;
}

static __always_inline u32 behind_extensions(struct bpf_dynptr *packet, struct headers *found)
{
	u32 offset = sizeof(struct ipv6hdr);

	for (int at = 0; at < EXTENSIONS; at++) {
		struct extension_header room, *header;

		if (!passes_over(found->protocol))
			return offset;
		header = bpf_dynptr_slice(packet, offset, &room, sizeof(room));
		if (!header)
			return 0;
		if (found->protocol == FRAGMENT) {
			if (bpf_ntohs(header->offset) & 0xfff8)
				return 0;
			offset += 8;
		} else if (found->protocol == AUTHENTICATION) {
			offset += (header->length + 2) * 4;
		} else {
			offset += (header->length + 1) * 8;
		}
		found->protocol = header->next;
	}
	return passes_over(found->protocol) ? 0 : offset;
}

static __always_inline u32 network_header(struct bpf_dynptr *packet, struct headers *found)
{
	if (found->family == 4) {
		struct iphdr room, *header = bpf_dynptr_slice(packet, 0, &room, sizeof(room));

		if (!header)
			return 0;
		found->source[0] = header->saddr;
		found->destination[0] = header->daddr;
		found->protocol = header->protocol;
		found->hops = header->ttl;
		if (bpf_ntohs(header->frag_off) & 0x1fff)
			return 0;
		return header->ihl * 4;
	} else {
		struct ipv6hdr room, *header = bpf_dynptr_slice(packet, 0, &room, sizeof(room));

		if (!header)
			return 0;
		__builtin_memcpy(found->source, &header->saddr, 16);
		__builtin_memcpy(found->destination, &header->daddr, 16);
		found->protocol = header->nexthdr;
		found->hops = header->hop_limit;
		return behind_extensions(packet, found);
	}
}

static __noinline int read_headers(struct __sk_buff *skb, struct headers *found)
{
	struct bpf_dynptr packet;
	u32 offset;

	if (!found)
		return 0;
	if (bpf_dynptr_from_skb(skb, 0, &packet))
		return 0;
	offset = network_header(&packet, found);
	if (!offset)
		return 0;
	if (found->protocol == TCP) {
		u8 room[20], *header = bpf_dynptr_slice(&packet, offset, room, sizeof(room));

		if (!header)
			return 0;
		found->flags = header[13] & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
	} else if (found->protocol == ICMP || found->protocol == ICMPV6) {
		u8 room[4], *header = bpf_dynptr_slice(&packet, offset, room, sizeof(room));

		if (!header)
			return 0;
		found->type = header[0];
	}
	found->readable = 1;
	return 1;
}

#endif
