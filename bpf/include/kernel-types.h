/*
 * What the programs here read of the kernel's own structures, and nothing else of them. No layout is
 * meant: every access is fitted to the running kernel when the object is loaded (CO-RE), by the names
 * of the fields alone. A field that a kernel does not have is refused at that moment, by name.
 *
 * Structures that are an interface (struct __sk_buff, struct bpf_sock_addr, struct iphdr, ...) come
 * from the system's headers below <linux/>.
 */
#pragma once

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* --- network namespaces and interfaces -------------------------------------------------------- */

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

struct net_device {
	int ifindex;
	/* Of a veth, VLAN and the like: the interface below or beside it. */
	unsigned int flags;
};

/* --- control groups --------------------------------------------------------------------------- */

struct kernfs_node {
	/* The inode of the group's folder, and so the number by which everybody calls it. */
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

/* --- sockets ---------------------------------------------------------------------------------- */

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	/* In the byte order of the processor, unlike its neighbour. */
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
	__u16 sk_type;
	__u16 sk_protocol;
};

/* --- packets ---------------------------------------------------------------------------------- */

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	unsigned int data_len;
	/* Address of the connection; the lowest three bits say where the packet stands in it. */
	unsigned long _nfct;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	int skb_iif;
	unsigned char *head;
	unsigned char *data;
};

struct nf_hook_state {
	__u8 hook;
	__u8 pf;
	struct net_device *in;
	struct net_device *out;
	struct sock *sk;
	struct net *net;
};

/* What a program at a hook of netfilter is given. */
struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};

/* --- connection tracking ---------------------------------------------------------------------- */

union nf_inet_addr {
	__u32 all[4];
	__be32 ip;
	__be32 ip6[4];
};

union nf_conntrack_man_proto {
	__be16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
			struct {
				__u8 type;
				__u8 code;
			} icmp;
		} u;
		__u8 protonum;
		__u8 dir;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conn {
	/* The original direction first, the replies' second. */
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	/* Of a connection that another one announced: that one. */
	struct nf_conn *master;
};

#pragma clang attribute pop
