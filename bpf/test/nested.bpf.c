/* For tests: a map that is found in a map. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

/* 0: no such map; 1: no entry 1 in it; otherwise that entry's value. */
SEC("tc")
int look_up(struct __sk_buff *skb)
{
	__u32 which = 7;
	__u32 one = 1;
	void *inner = bpf_map_lookup_elem(&outer, &which);
	__u32 *value;

	(void)skb;
	if (!inner)
		return 0;
	value = bpf_map_lookup_elem(inner, &one);
	return value ? *value : 1;
}
