/* For tests: reads a field that no kernel has. */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

struct sk_buff {
	int bulkhead_never_had_this;
} __attribute__((preserve_access_index));

struct bpf_nf_ctx {
	struct sk_buff *skb;
} __attribute__((preserve_access_index));

SEC("netfilter")
int absent(struct bpf_nf_ctx *ctx)
{
	return ctx->skb->bulkhead_never_had_this & 1;
}
