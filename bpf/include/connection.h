/*
 * From a packet to the connection it belongs to, as connection tracking knows it: original direction, before translation of
 * the source and behind translation of the destination. What connection tracking cannot place is told by the packet's headers.
 */
#ifndef BULKHEAD_CONNECTION_H
#define BULKHEAD_CONNECTION_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "judge.h"
#include "kernel-types.h"

/* Where a packet stands in its connection: include/uapi/linux/netfilter/nf_conntrack_common.h */
#define CT_ESTABLISHED 0
#define CT_RELATED 1
#define CT_NEW 2
#define CT_REPLY 3 /* added to one of those above */
#define CT_UNTRACKED 7
#define CT_INFO_MASK 7ul
#define STATUS_CONFIRMED (1ul << 3)
#define STATUS_DST_NAT (1ul << 5)

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

enum state { ESTABLISHED, RELATED, NEW, INVALID };

struct connection {
	struct flow flow;
	u64 status;
	u16 source_port;
	u8 state;
	u8 reply; /* the packet travels against the original direction */
};

static __always_inline int has_ports(u8 protocol)
{
	return protocol == TCP || protocol == UDP || protocol == SCTP || protocol == UDPLITE;
}

static __always_inline int is_icmp(u8 protocol)
{
	return protocol == ICMP || protocol == ICMPV6;
}

/* 0: connection tracking does not hold the packet. */
static __always_inline int read_connection(struct sk_buff *skb, struct connection *found)
{
	unsigned long tracked = skb->_nfct;
	u32 info = tracked & CT_INFO_MASK;
	struct nf_conn *ct = (struct nf_conn *)(tracked & ~CT_INFO_MASK);
	struct nf_conntrack_tuple original, reply;
	struct flow *flow = &found->flow;

	found->state = INVALID;
	if (!ct || info == CT_UNTRACKED)
		return 0;
	if (bpf_core_read(&original, sizeof(original), &ct->tuplehash[0].tuple))
		return 0;
	if (bpf_core_read(&reply, sizeof(reply), &ct->tuplehash[1].tuple))
		return 0;
	if (bpf_core_read(&found->status, sizeof(found->status), &ct->status))
		return 0;
	found->reply = info >= CT_REPLY;
	if (found->reply)
		info -= CT_REPLY;
	found->state = info;
	flow->family = original.src.l3num == FAMILY_IPV4 ? 4 : 6;
	flow->protocol = original.dst.protonum;
	copy_words(flow->source, original.src.u3.all);
	copy_words(flow->destination, reply.src.u3.all);
	copy_words(flow->addressed, original.dst.u3.all);
	if (has_ports(flow->protocol)) {
		flow->port = bpf_ntohs(reply.src.u.all);
		flow->addressed_port = bpf_ntohs(original.dst.u.all);
		found->source_port = bpf_ntohs(original.src.u.all);
	} else if (is_icmp(flow->protocol)) {
		/* Type and code stand where others have a port, and translation leaves them alone. */
		flow->port = flow->addressed_port = bpf_ntohs(original.dst.u.all);
	}
	return 1;
}

#endif
