/**
 * What the kernel calls by number: commands of bpf(2), kinds of maps, programs, attachments and links (include/uapi/linux/bpf.h).
 * Only those that this program uses or expects to meet; a number without a name is shown as a number.
 */

export const COMMAND = {
  mapCreate: 0,
  mapLookup: 1,
  mapUpdate: 2,
  mapDelete: 3,
  mapNextKey: 4,
  programLoad: 5,
  pin: 6,
  openPinned: 7,
  testRun: 10,
  nextProgramId: 11,
  nextMapId: 12,
  programById: 13,
  mapById: 14,
  info: 15,
  query: 16,
  mapLookupAndDelete: 21,
  lookupBatch: 24,
  updateBatch: 26,
  deleteBatch: 27,
  linkCreate: 28,
  linkUpdate: 29,
  linkById: 30,
  nextLinkId: 31,
  enableStatistics: 32,
  linkDetach: 34,
} as const;

export type Command = keyof typeof COMMAND;

export const MAP_KIND = {
  hash: 1,
  array: 2,
  "program-array": 3,
  "per-cpu-hash": 5,
  "per-cpu-array": 6,
  "lru-hash": 9,
  "lru-per-cpu-hash": 10,
  "lpm-trie": 11,
  "array-of-maps": 12,
  "hash-of-maps": 13,
  "socket-storage": 24,
  "ring-buffer": 27,
  "task-storage": 29,
  "cgroup-storage": 32,
} as const;

export type MapKind = keyof typeof MAP_KIND;

export const PROGRAM_KIND = {
  "socket-filter": 1,
  "sched-cls": 3,
  xdp: 6,
  "cgroup-skb": 8,
  "cgroup-sock": 9,
  "sock-ops": 13,
  "raw-tracepoint": 17,
  "cgroup-sock-addr": 18,
  tracing: 26,
  lsm: 29,
  netfilter: 32,
} as const;

export type ProgramKind = keyof typeof PROGRAM_KIND;

export const ATTACH_KIND = {
  "cgroup-ingress": 0,
  "cgroup-egress": 1,
  "cgroup-sock-create": 2,
  "cgroup-sock-ops": 3,
  "cgroup-bind4": 8,
  "cgroup-bind6": 9,
  "cgroup-connect4": 10,
  "cgroup-connect6": 11,
  "cgroup-post-bind4": 12,
  "cgroup-post-bind6": 13,
  "cgroup-sendmsg4": 14,
  "cgroup-sendmsg6": 15,
  "cgroup-recvmsg4": 19,
  "cgroup-recvmsg6": 20,
  "trace-iter": 28,
  "cgroup-sock-release": 34,
  netfilter: 45,
  "tcx-ingress": 46,
  "tcx-egress": 47,
} as const;

export type AttachKind = keyof typeof ATTACH_KIND;

/** Where a link on a control group may be. */
export type CgroupAttachKind = Extract<AttachKind, `cgroup-${string}`>;
export type TcxAttachKind = Extract<AttachKind, `tcx-${string}`>;

export const LINK_KIND = {
  "raw-tracepoint": 1,
  tracing: 2,
  cgroup: 3,
  iterator: 4,
  netns: 5,
  xdp: 6,
  netfilter: 10,
  tcx: 11,
} as const;

export type LinkKind = keyof typeof LINK_KIND;

/** A name from one of the tables above, or `kind 99`. */
export type Unnamed = `kind ${number}`;

const named = <Name extends string>(
  table: Readonly<Record<Name, number>>,
): ((number: number) => Name | Unnamed) => {
  const names = new Map(
    Object.entries<number>(table).map(([name, number]) => [number, name as Name]),
  );
  return (number) => names.get(number) ?? `kind ${number}`;
};

export const mapKindName = named(MAP_KIND);
export const programKindName = named(PROGRAM_KIND);
export const attachKindName = named(ATTACH_KIND);
export const linkKindName = named(LINK_KIND);
