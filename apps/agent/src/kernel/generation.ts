/**
 * The generation number of the nftables ruleset in the current network namespace: it changes with every committed
 * transaction, ours or a stranger's, so an unchanged number means that a full read-back can be spared.
 */
import { attributesOf, nfgenHeader } from "./netlink-message.ts";
import { NETLINK_NETFILTER, openNetlink } from "./netlink-socket.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
const NFTA_GEN_PROC_PID = 2;
const NFTA_GEN_PROC_NAME = 3;

export interface RulesetGeneration {
  readonly id: number;
  /** Who asked (the kernel names the asking process, not the last writer); kept for diagnostics. */
  readonly pid: number;
  readonly process: string;
}

/** Throws `KernelError` when the kernel has no nftables. */
export function rulesetGeneration(): RulesetGeneration {
  const socket = openNetlink(NETLINK_NETFILTER);
  try {
    let found: RulesetGeneration | undefined;
    socket.request(
      "reading the generation of the ruleset",
      (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
      nfgenHeader(0),
      [],
      (_type, buffer, start, end) => {
        const attributes = attributesOf(buffer, start + 4, end);
        const id = attributes.get(NFTA_GEN_ID);
        if (id === undefined) return;
        found = {
          id: id.readUInt32BE(),
          pid: attributes.get(NFTA_GEN_PROC_PID)?.readUInt32BE() ?? 0,
          process: (attributes.get(NFTA_GEN_PROC_NAME) ?? Buffer.alloc(0))
            .toString("latin1")
            .replace(/\0.*$/s, ""),
        };
      },
    );
    if (found === undefined) throw new Error("the kernel answered without a generation number");
    return found;
  } finally {
    socket.close();
  }
}
