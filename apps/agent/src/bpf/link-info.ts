/** What a link is attached to, as the kernel tells it (`struct bpf_link_info`). */
import {
  attachKindName,
  linkKindName,
  type AttachKind,
  type LinkKind,
  type Unnamed,
} from "./numbers.ts";
import { readInfo } from "./map-info.ts";

export type LinkInfo = {
  readonly id: number;
  readonly programId: number;
} & (
  | {
      readonly kind: "cgroup";
      /** The group's inode; null once it is gone, or the link detached. */
      readonly cgroup: bigint | null;
      readonly attach: AttachKind | Unnamed;
    }
  | {
      readonly kind: "netfilter";
      /** As the kernel numbers them: 2 and 10; 0 to 4. */
      readonly family: number;
      readonly hook: number;
      readonly priority: number;
    }
  | {
      readonly kind: "tcx";
      /** Null once it is gone, or the link detached. */
      readonly ifindex: number | null;
      readonly attach: AttachKind | Unnamed;
    }
  | { readonly kind: Exclude<LinkKind, "cgroup" | "netfilter" | "tcx"> | Unnamed }
);

const LINK_INFO_BYTES = 64;

export function linkInfo(fd: number): LinkInfo {
  const info = readInfo(fd, Buffer.alloc(LINK_INFO_BYTES), "asking what a link is");
  const common = { id: info.readUInt32LE(4), programId: info.readUInt32LE(8) };
  const kind = linkKindName(info.readUInt32LE(0));
  switch (kind) {
    case "cgroup": {
      const cgroup = info.readBigUInt64LE(16);
      return {
        ...common,
        kind,
        cgroup: cgroup === 0n ? null : cgroup,
        attach: attachKindName(info.readUInt32LE(24)),
      };
    }
    case "netfilter":
      return {
        ...common,
        kind,
        family: info.readUInt32LE(16),
        hook: info.readUInt32LE(20),
        priority: info.readInt32LE(24),
      };
    case "tcx": {
      const ifindex = info.readUInt32LE(16);
      return {
        ...common,
        kind,
        ifindex: ifindex === 0 ? null : ifindex,
        attach: attachKindName(info.readUInt32LE(20)),
      };
    }
    default:
      return { ...common, kind };
  }
}
