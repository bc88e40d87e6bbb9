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

static long answer(u32 at, u32 *with_shadow)
{
	struct question *asked = bpf_map_lookup_elem(&bh_questions, &at);
	struct judgement said = {};
	struct flow flow;
	u32 zero = 0;
	u32 *epoch = bpf_map_lookup_elem(&bh_epoch, &zero);

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
	if (!*with_shadow)
		return 0;
	asked->audit_egress = *epoch ? decide(&flow, *epoch, SHADOW, EGRESS) : NO_DECISION;
	asked->audit_ingress = *epoch ? decide(&flow, *epoch, SHADOW, INGRESS) : NO_DECISION;
	return 0;
}

/* Behind the Ethernet header stand two numbers: how many questions there are, and whether the shadow plane is asked too. */
SEC("tc")
int bh_judge(struct __sk_buff *skb)
{
	u32 asked[2] = {};
	u32 with_shadow;

	if (bpf_skb_load_bytes(skb, 14, asked, sizeof(asked)))
		return -1;
	with_shadow = asked[1];
	return bpf_loop(asked[0] > QUESTIONS ? QUESTIONS : asked[0], answer, &with_shadow, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
