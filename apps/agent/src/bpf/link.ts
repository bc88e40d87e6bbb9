/**
 * Links: a program's attachment as an object of its own. It lives as long as a descriptor or a pin holds it, so a link that
 * is not pinned is gone with this process, and with it what it enforced. Links on hooks of netfilter and on interfaces
 * belong to the network namespace of the calling thread at that moment: create them within `insideNetns`. A link on a hook of
 * netfilter keeps its namespace, with all interfaces in it, as long as the link itself is kept; one on an interface does not.
 */
import { linkInfo, type LinkInfo } from "./link-info.ts";
import { ATTACH_KIND, type CgroupAttachKind, type TcxAttachKind } from "./numbers.ts";
import { ownedFd, type OwnedFd } from "./owned-fd.ts";
import type { BpfProgram } from "./program.ts";
import { attributeBlock, bpf, bpfWith, closeFd } from "./syscall.ts";

/** `close` gives back the descriptor; unless pinned, the link goes with it. */
export interface BpfLink extends OwnedFd {
  readonly id: number;
  /** As of now: what it is attached to may have gone. */
  info(): LinkInfo;
  /**
   * Another program from the next packet on, with none in between that sees neither. With `expected`, only if that is the
   * program it has. Throws `KernelError`: EPERM if it has another one, EOPNOTSUPP for links on netfilter hooks, which the
   * kernel cannot swap: attach the new program beside the old one, then close that; or attach one that only jumps to an entry
   * of an array of programs (`bpf_tail_call`), and `put` the new one there.
   */
  update(program: BpfProgram, expected?: BpfProgram): void;
  /** Takes the program off the hook; link, descriptor and pins stay, without effect. */
  detach(): void;
}

export type LinkSpec =
  | {
      readonly kind: "cgroup";
      readonly attach: CgroupAttachKind;
      /** Descriptor of the group's folder. Programs of others stay: all that are attached must agree. */
      readonly fd: number;
    }
  | {
      readonly kind: "netfilter";
      readonly family: NetfilterFamily;
      readonly hook: NetfilterHook;
      /** Smaller runs earlier. One program per family, hook and priority: EBUSY otherwise. */
      readonly priority: number;
      /** Fragments are put together before (at the priority of connection tracking's own defragmentation, -400). */
      readonly defragment?: boolean;
    }
  | { readonly kind: "tcx"; readonly attach: TcxAttachKind; readonly ifindex: number };

export const NETFILTER_FAMILY = { ipv4: 2, ipv6: 10 } as const;
export type NetfilterFamily = keyof typeof NETFILTER_FAMILY;

export const NETFILTER_HOOK = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
} as const;
export type NetfilterHook = keyof typeof NETFILTER_HOOK;

const BPF_F_NETFILTER_IP_DEFRAG = 1;
const BPF_F_REPLACE = 4;

/**
 * Throws `KernelError`: EBUSY for a netfilter priority that is taken, ENODEV for an interface that is not in this
 * namespace, EBADF and EINVAL for a program of another kind, ERANGE for a priority beyond the limits.
 */
export function attach(program: BpfProgram, spec: LinkSpec): BpfLink {
  const fd = bpfWith(
    "linkCreate",
    (attribute) => {
      attribute.writeUInt32LE(program.fd, 0);
      writeTarget(attribute, spec);
    },
    `attaching ${program.info.name} to ${targetText(spec)}`,
  );
  return linkOf(fd);
}

function writeTarget(attribute: Buffer, spec: LinkSpec): void {
  switch (spec.kind) {
    case "cgroup":
      attribute.writeUInt32LE(spec.fd, 4);
      attribute.writeUInt32LE(ATTACH_KIND[spec.attach], 8);
      return;
    case "tcx":
      attribute.writeUInt32LE(spec.ifindex, 4);
      attribute.writeUInt32LE(ATTACH_KIND[spec.attach], 8);
      return;
    case "netfilter":
      attribute.writeUInt32LE(ATTACH_KIND.netfilter, 8);
      attribute.writeUInt32LE(NETFILTER_FAMILY[spec.family], 16);
      attribute.writeUInt32LE(NETFILTER_HOOK[spec.hook], 20);
      attribute.writeInt32LE(spec.priority, 24);
      attribute.writeUInt32LE(spec.defragment === true ? BPF_F_NETFILTER_IP_DEFRAG : 0, 28);
      return;
  }
}

function targetText(spec: LinkSpec): string {
  switch (spec.kind) {
    case "cgroup":
      return spec.attach;
    case "tcx":
      return `${spec.attach} of interface ${spec.ifindex}`;
    case "netfilter":
      return `${spec.family} ${spec.hook} at priority ${spec.priority}`;
  }
}

/** Takes over a descriptor; it is closed if it is none of a link. */
export function linkOf(fd: number): BpfLink {
  let id: number;
  try {
    ({ id } = linkInfo(fd));
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  const owned = ownedFd(fd, `link ${id}`);
  return {
    get fd() {
      return owned.fd;
    },
    id,
    info: () => linkInfo(owned.fd),
    update(program, expected) {
      bpfWith(
        "linkUpdate",
        (attribute) => {
          attribute.writeUInt32LE(owned.fd, 0);
          attribute.writeUInt32LE(program.fd, 4);
          if (expected === undefined) return;
          attribute.writeUInt32LE(BPF_F_REPLACE, 8);
          attribute.writeUInt32LE(expected.fd, 12);
        },
        `giving link ${id} the program ${program.info.name}`,
      );
    },
    detach() {
      const attribute = attributeBlock();
      attribute.buffer.writeUInt32LE(owned.fd, 0);
      bpf("linkDetach", attribute, `detaching link ${id}`);
    },
    close: owned.close,
  };
}
