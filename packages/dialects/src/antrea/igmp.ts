/** Rules of IGMP beside others in one policy: antrea-io/antrea `validate.go`, `validateMulticastIGMP`. */
export interface Asked {
  readonly igmp: boolean;
  readonly icmp: boolean;
  /** Peers, ports or Services. */
  readonly more: boolean;
}

/** Whether Antrea takes each: what a rule says of protocols counts for all after it, egress after ingress. */
export const goesWithIgmp = (rules: readonly Asked[]): readonly boolean[] => {
  let igmp = false;
  let icmp = false;
  return rules.map((rule) => {
    igmp ||= rule.igmp;
    icmp ||= rule.icmp;
    return !igmp || !(icmp || rule.more);
  });
};
