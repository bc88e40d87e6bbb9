/* For tests and benchmarks: each run puts one numbered record into a ring, or counts that there was no room. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct record {
	__u64 number;
	__u64 filling;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* 0: records put in; 1: records lost; 2: records begun and thrown away. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline __u64 count(__u32 what)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &what);

	return value ? __sync_fetch_and_add(value, 1) : 0;
}

SEC("tc")
int emit(struct __sk_buff *skb)
{
	struct record *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	(void)skb;
	if (!record) {
		count(1);
		return 1;
	}
	record->number = count(0);
	record->filling = 0;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

SEC("tc")
int begin_and_discard(struct __sk_buff *skb)
{
	struct record *record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);

	(void)skb;
	if (!record)
		return 1;
	count(2);
	bpf_ringbuf_discard(record, 0);
	return 0;
}
