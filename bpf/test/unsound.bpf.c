/* For tests: the verifier must refuse this, since nobody asks whether there is such an entry. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} numbers SEC(".maps");

SEC("tc")
int unchecked(struct __sk_buff *skb)
{
	__u32 length = skb->len;
	__u32 *value = bpf_map_lookup_elem(&numbers, &length);

	return *value;
}
