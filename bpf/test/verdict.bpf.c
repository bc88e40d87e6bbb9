/* For tests: refuses TCP and UDP to ports that a map names, at each place where a link can be. */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../include/kernel-types.h"

char LICENSE[] SEC("license") = "GPL";

enum { NF_DROP = 0, NF_ACCEPT = 1, TCX_NEXT = -1, TCX_DROP = 2 };

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} denied SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline int has_ports(const struct iphdr *ip)
{
	return ip->version == 4 && (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP);
}

static __always_inline int refused(__u32 place, __be16 port)
{
	__u64 *count = bpf_map_lookup_elem(&seen, &place);
	__u32 key = bpf_ntohs(port);

	if (count)
		*count += 1;
	return bpf_map_lookup_elem(&denied, &key) != NULL;
}

/* 0 when it is no TCP or UDP over IPv4, whose ports lie in the same place. `at` is where the IP header begins. */
static __always_inline __be16 port_of(struct __sk_buff *skb, int at)
{
	struct iphdr ip;
	__be16 port = 0;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)) || !has_ports(&ip))
		return 0;
	bpf_skb_load_bytes(skb, at + ip.ihl * 4 + offsetof(struct udphdr, dest), &port, 2);
	return port;
}

SEC("cgroup_skb/egress")
int group_egress(struct __sk_buff *skb)
{
	return !refused(0, port_of(skb, 0));
}

/* Refuses all that the other one refuses, and more. */
SEC("cgroup_skb/egress")
int group_closed(struct __sk_buff *skb)
{
	(void)skb;
	return 0;
}

SEC("cgroup/connect4")
int group_connect(struct bpf_sock_addr *ctx)
{
	return !refused(1, ctx->user_port);
}

SEC("netfilter")
int hook(struct bpf_nf_ctx *ctx)
{
	struct sk_buff *skb = ctx->skb;
	/* At these hooks a packet's data begin with its IP header. */
	unsigned char *header = skb->data;
	struct iphdr ip;
	__be16 port = 0;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), header) || !has_ports(&ip))
		return NF_ACCEPT;
	bpf_probe_read_kernel(&port, 2, header + ip.ihl * 4 + offsetof(struct udphdr, dest));
	return refused(2, port) ? NF_DROP : NF_ACCEPT;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

/* Only jumps, so that the program behind it can be changed. With none there it denies. */
SEC("netfilter")
int jump(struct bpf_nf_ctx *ctx)
{
	bpf_tail_call(ctx, &next, 0);
	return NF_DROP;
}

SEC("netfilter")
int hook_closed(struct bpf_nf_ctx *ctx)
{
	(void)ctx;
	return NF_DROP;
}

/* The original destination, whatever the packet says by now. Untracked packets are refused. */
SEC("netfilter")
int tracked(struct bpf_nf_ctx *ctx)
{
	struct nf_conn *connection = (struct nf_conn *)(ctx->skb->_nfct & ~7UL);
	__be16 port;

	if (!connection)
		return NF_DROP;
	port = BPF_CORE_READ(connection, tuplehash[0].tuple.dst.u.all);
	return refused(3, port) ? NF_DROP : NF_ACCEPT;
}

SEC("tcx/egress")
int interface_closed(struct __sk_buff *skb)
{
	(void)skb;
	return TCX_DROP;
}

SEC("tcx/egress")
int interface_egress(struct __sk_buff *skb)
{
	return refused(4, port_of(skb, 14)) ? TCX_DROP : TCX_NEXT;
}
