/**
 * Tags that hide a packet. The kernel takes one VLAN tag off before any of our hooks look; what still stands behind a
 * second one is no IP to them, although the machine or a workload strips tags of VLAN 0 later and takes the rest as IP.
 * A tag of another VLAN is stripped by nobody but who has an interface in that VLAN, so such frames go on.
 */

/** After the kernel has taken off one tag, another one. */
export const TAGGED_TWICE = "meta protocol { 8021q, 8021ad }";

/**
 * The outermost tag on the wire at this hook is of VLAN 0. A bridge that filters VLANs takes its own off before `input` and
 * `forward`: the inner one is the outermost there.
 */
export const HIDDEN = `${TAGGED_TWICE} @ll,112,16 & 0xfff == 0x0`;
