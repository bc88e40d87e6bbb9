/*
 * The judgement without a packet: many flows at a call, for the tests that compare it with the reference, for the benchmarks of a
 * look-up alone, and for the self-test before the datapath takes over. It looks into the very maps that packets are judged by.
 */
#include "include/judge.h"

#define QUESTIONS 4096

struct question {
	struct flow flow; /* in */
	u32 egress;	  /* out: decisions, or NO_DECISION */
	u32 ingress;
	u32 audit_egress; /* out: the same on the shadow plane */
	u32 audit_ingress;
	u32 verdict;
	u32 plane;
};

DEFINE_MAP(bh_questions, BPF_MAP_TYPE_ARRAY, QUESTIONS, u32, struct question, BPF_F_MMAPABLE);

static long answer(u32 at, void *unused)
{
	struct question *asked = bpf_map_lookup_elem(&bh_questions, &at);
	struct judgement said = {};
	struct flow flow;
	u32 zero = 0;
	u32 *epoch = bpf_map_lookup_elem(&bh_epoch, &zero);

	(void)unused;
	if (!asked || !epoch)
		return 1;
	flow = asked->flow;
	said.egress = said.ingress = NO_DECISION;
	if (*epoch)
		judge(&flow, *epoch, &said);
	asked->egress = said.egress;
	asked->ingress = said.ingress;
	asked->verdict = said.verdict;
	asked->plane = said.plane;
	asked->audit_egress = *epoch ? decide(&flow, *epoch, SHADOW, EGRESS) : NO_DECISION;
	asked->audit_ingress = *epoch ? decide(&flow, *epoch, SHADOW, INGRESS) : NO_DECISION;
	return 0;
}

/* The first four bytes behind the Ethernet header say how many questions there are. */
SEC("tc")
int bh_judge(struct __sk_buff *skb)
{
	u32 count = 0;

	if (bpf_skb_load_bytes(skb, 14, &count, sizeof(count)))
		return -1;
	return bpf_loop(count > QUESTIONS ? QUESTIONS : count, answer, (void *)0, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
