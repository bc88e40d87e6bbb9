/*
 * Forwarded packets, and those between this machine and the workloads on it, at the hooks of netfilter. There is no blanket
 * "established, accept": every packet is judged by its connection's original direction, replies and errors too, so what is
 * revoked ends at once. A packet that no connection holds is nobody's, and does not pass to or from whoever is judged.
 */
#include "include/connection.h"
#include "include/events.h"
#include "include/headers.h"

#define NF_DROP 0
#define NF_ACCEPT 1

enum hook { HOOK_INPUT = 1, HOOK_FORWARD = 2, HOOK_OUTPUT = 3 };

/* Neighbour discovery is for the link alone, which a hop limit of 255 proves: RFC 4861 §3.1. */
static __always_inline int is_neighbour_discovery(const struct headers *packet)
{
	return packet->protocol == ICMPV6 && packet->type >= 133 && packet->type <= 136 &&
	       packet->hops == 255;
}

/* RFC 2710 §3, RFC 3810 §5. */
static __always_inline int is_listener_discovery(const struct headers *packet)
{
	u8 type = packet->type;
	u32 link_local = packet->source[0] & bpf_htonl(0xffc00000);

	if (packet->protocol != ICMPV6 || packet->hops != 1)
		return 0;
	if ((packet->destination[0] & bpf_htonl(0xff000000)) != bpf_htonl(0xff000000))
		return 0;
	if (link_local == bpf_htonl(0xfe800000))
		return (type >= 130 && type <= 132) || type == 143;
	if (packet->source[0] || packet->source[1] || packet->source[2] || packet->source[3])
		return 0;
	return type == 131 || type == 132 || type == 143;
}

static __always_inline int is_judged(u32 epoch, u16 family, const u32 *source,
				     const u32 *destination)
{
	return class_of(epoch, LIVE, EGRESS, family, source) ||
	       class_of(epoch, LIVE, INGRESS, family, destination);
}

/* What this machine sends by itself about a connection that it refuses travels as related to it. */
static __always_inline int is_own_error(const struct connection *connection,
					const struct headers *packet)
{
	return connection->state == RELATED &&
	       (is_icmp(packet->protocol) || (packet->flags & TCP_RST));
}

__noinline int judge_connection(struct connection *connection, u32 epoch, u32 hook, u32 bytes)
{
	struct judgement said = {};
	int first;

	if (!connection)
		return NF_DROP;
	connection->flow.from_machine = hook != HOOK_FORWARD;
	judge(&connection->flow, epoch, &said);
	count_hit(said.egress, said.plane, EGRESS, bytes);
	if (verdict_of(said.egress) == ALLOW)
		count_hit(said.ingress, said.plane, INGRESS, bytes);
	if (said.verdict != ALLOW) {
		tell_denial(connection, &said);
		return NF_DROP;
	}
	first = connection->state == NEW && !(connection->status & STATUS_CONFIRMED);
	if (first)
		tell_first(connection, epoch, bytes);
	return NF_ACCEPT;
}

static __always_inline int judge_packet(struct bpf_nf_ctx *ctx, u16 family, u32 hook)
{
	struct sk_buff *skb = ctx->skb;
	struct connection connection = {};
	struct headers packet = {.family = family};
	u32 zero = 0;
	u32 *epoch = bpf_map_lookup_elem(&bh_epoch, &zero);

	if (!epoch || !*epoch)
		return NF_ACCEPT;
	if (!read_connection(skb, &connection)) {
		read_headers((struct __sk_buff *)skb, &packet);
		if (family == 6 && packet.readable &&
		    (is_neighbour_discovery(&packet) || is_listener_discovery(&packet)))
			return NF_ACCEPT;
		if (is_judged(*epoch, family, packet.source, packet.destination)) {
			count_stray(STRAY_NO_CONNECTION);
			return NF_DROP;
		}
		return NF_ACCEPT;
	}
	if (connection.state != ESTABLISHED) {
		read_headers((struct __sk_buff *)skb, &packet);
		if (hook == HOOK_OUTPUT && packet.readable && is_own_error(&connection, &packet))
			return NF_ACCEPT;
		if (family == 6 && packet.readable &&
		    (is_neighbour_discovery(&packet) || is_listener_discovery(&packet)))
			return NF_ACCEPT;
		/* What begins without a beginning would make a connection of what is none. */
		if (packet.protocol == TCP && packet.flags != TCP_SYN &&
		    is_judged(*epoch, family, connection.flow.source,
			      connection.flow.destination)) {
			count_stray(STRAY_NOT_SYN);
			return NF_DROP;
		}
		/* Whoever wears the machine's address and is forwarded is not the machine. */
		if (hook == HOOK_FORWARD && connection.state == NEW &&
		    (local_of(*epoch, family, packet.source) & LOCAL_HOST) &&
		    class_of(*epoch, LIVE, INGRESS, family, packet.destination)) {
			count_stray(STRAY_FALSE_SOURCE);
			return NF_DROP;
		}
	}
	return judge_connection(&connection, *epoch, hook, skb->len) == NF_ACCEPT ? NF_ACCEPT
										  : NF_DROP;
}

#define LOOPBACK_IFINDEX 1

static __always_inline int over_loopback(struct net_device *device)
{
	return device && device->ifindex == LOOPBACK_IFINDEX;
}

/* For both families, at FORWARD, INPUT and OUTPUT. */
SEC("netfilter")
int bh_packet(struct bpf_nf_ctx *ctx)
{
	u32 hook = ctx->state->hook;

	if (hook == HOOK_INPUT && over_loopback(ctx->state->in))
		return NF_ACCEPT;
	if (hook == HOOK_OUTPUT && over_loopback(ctx->state->out))
		return NF_ACCEPT;
	return judge_packet(ctx, ctx->state->pf == FAMILY_IPV4 ? 4 : 6, hook);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
