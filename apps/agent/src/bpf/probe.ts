/**
 * What this kernel and this process can do with eBPF, each thing tried for real on something that is thrown away, with the reason
 * where it cannot: so that a driver says why it does not start rather than fail half way. Which of them are needed is the
 * caller's to say.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { cgroup2Mount, createNetns, insideNetns, KernelError } from "../kernel/index.ts";
import { assemble, callHelper, leave, returning, setRegister } from "./instructions.ts";
import { libbpf } from "./libbpf.ts";
import { attach, type LinkSpec } from "./link.ts";
import { BpfLoadError } from "./load-error.ts";
import { createMap, type MapSpec } from "./map.ts";
import { MAP_KIND, type AttachKind, type MapKind, type ProgramKind } from "./numbers.ts";
import { mountsOutliveUs } from "./pins.ts";
import { loadInstructions } from "./program.ts";

/** Why something is not possible here. */
export type Obstacle =
  | { readonly kind: "capability"; readonly missing: readonly Capability[] }
  /** The kernel refused the attempt. */
  | { readonly kind: "kernel"; readonly call: string; readonly code: string }
  /** A file or folder that should be there. */
  | { readonly kind: "absent"; readonly what: string }
  /** A library that cannot be loaded. */
  | { readonly kind: "library"; readonly name: string; readonly reason: string }
  /** Mounts of this process end with it. */
  | { readonly kind: "mounts" };

export interface Feature {
  /** `map lpm-trie`, `program netfilter`, `link tcx`, `helper 178 in cgroup-skb`, `library`, … */
  readonly name: string;
  /** Null: it works. */
  readonly obstacle: Obstacle | null;
}

export interface HelperWish {
  /** Its number (include/uapi/linux/bpf.h, `___BPF_FUNC_MAPPER`). */
  readonly number: number;
  readonly name: string;
  readonly program: ProgramKind;
  /** Where what may be called depends on it. */
  readonly attach?: AttachKind;
}

/** Bits of `CapEff` (include/uapi/linux/capability.h). */
const CAPABILITY = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;
export type Capability = keyof typeof CAPABILITY;

/** Those that are missing. CAP_SYS_ADMIN includes the two that were split off it. `status`: text of /proc/self/status. */
export function missingCapabilities(
  status = readFileSync("/proc/self/status", "latin1"),
): readonly Capability[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (name: Capability): boolean => ((effective >> BigInt(CAPABILITY[name])) & 1n) === 1n;
  const needed: readonly Capability[] = [
    "CAP_BPF",
    "CAP_PERFMON",
    "CAP_NET_ADMIN",
    "CAP_SYS_ADMIN",
  ];
  return needed.filter((name) => !has(name) && !(name !== "CAP_NET_ADMIN" && has("CAP_SYS_ADMIN")));
}

/** An attempt; what it throws is the obstacle, unless it is none that a kernel or library gives. */
function attempt(name: string, work: () => void): Feature {
  try {
    work();
    return { name, obstacle: null };
  } catch (error) {
    return { name, obstacle: obstacleOf(error) };
  }
}

function obstacleOf(error: unknown): Obstacle {
  if (error instanceof BpfLoadError)
    return { kind: "kernel", call: "bpf programLoad", code: error.code };
  if (error instanceof KernelError) return { kind: "kernel", call: error.call, code: error.code };
  throw error;
}

const SHAPES: Readonly<Partial<Record<MapKind, Partial<MapSpec>>>> = {
  "lpm-trie": { keyBytes: 8 },
  "ring-buffer": { keyBytes: 0, valueBytes: 0, maxEntries: 1 << 16 },
};
const NEEDS_INNER: readonly MapKind[] = ["array-of-maps", "hash-of-maps"];
/** Storage that hangs on other objects wants its types described: only an object file can ask for it. */
const STORAGE: readonly MapKind[] = ["socket-storage", "task-storage", "cgroup-storage"];

function probeMap(kind: MapKind): Feature {
  return attempt(`map ${kind}`, () => {
    const small = { name: "probe", keyBytes: 4, valueBytes: 4, maxEntries: 1 };
    const inner = NEEDS_INNER.includes(kind) ? createMap({ ...small, kind: "hash" }) : null;
    try {
      createMap({
        ...small,
        kind,
        ...SHAPES[kind],
        ...(inner === null ? {} : { inner }),
      }).close();
    } finally {
      inner?.close();
    }
  });
}

const PROGRAMS: readonly (readonly [ProgramKind, AttachKind | undefined, number])[] = [
  ["cgroup-skb", "cgroup-egress", 1],
  ["cgroup-sock-addr", "cgroup-connect4", 1],
  ["cgroup-sock-addr", "cgroup-connect6", 1],
  ["cgroup-sock-addr", "cgroup-sendmsg4", 1],
  ["cgroup-sock-addr", "cgroup-sendmsg6", 1],
  ["cgroup-sock", "cgroup-sock-create", 1],
  ["sock-ops", "cgroup-sock-ops", 1],
  ["netfilter", "netfilter", 1],
  ["sched-cls", undefined, 0],
  ["raw-tracepoint", undefined, 0],
];

function probeProgram(
  kind: ProgramKind,
  attachKind: AttachKind | undefined,
  value: number,
): Feature {
  const name = `program ${kind}${attachKind === undefined ? "" : ` for ${attachKind}`}`;
  return attempt(name, () =>
    loadInstructions({
      kind,
      ...(attachKind === undefined ? {} : { attach: attachKind }),
      name: "probe",
      instructions: returning(value),
    }).close(),
  );
}

/** What the verifier says of a helper as such; of one that it knows it complains about the arguments, which are none here. */
const NO_SUCH_HELPER = /cannot use helper|(unknown|invalid) func/;

function probeHelper({ number, name, program, attach: attachKind }: HelperWish): Feature {
  return attempt(`helper ${name} in ${program}`, () => {
    const instructions = assemble(callHelper(number), setRegister(0, 1), leave());
    const place = attachKind ?? PROGRAMS.find(([kind]) => kind === program)?.[1];
    const wish = { kind: program, name: "probe", instructions };
    try {
      loadInstructions(place === undefined ? wish : { ...wish, attach: place }).close();
    } catch (error) {
      const known =
        error instanceof BpfLoadError && error.log !== "" && !NO_SUCH_HELPER.test(error.log);
      if (!known) throw error;
    }
  });
}

/** Attaches a program that lets everything pass, where there is nothing to pass. */
function probeLink(name: string, kind: ProgramKind, spec: LinkSpec, value: number): Feature {
  return attempt(`link ${name}`, () => {
    const program = loadInstructions({ kind, name: "probe", instructions: returning(value) });
    try {
      attach(program, spec).close();
    } finally {
      program.close();
    }
  });
}

const TCX_NEXT = -1;

function probeLinks(): readonly Feature[] {
  let netns: number;
  try {
    netns = createNetns();
  } catch (error) {
    const obstacle = obstacleOf(error);
    return ["link netfilter", "link tcx"].map((name) => ({ name, obstacle }));
  }
  try {
    return insideNetns(`/proc/self/fd/${netns}`, () => [
      probeLink(
        "netfilter",
        "netfilter",
        { kind: "netfilter", family: "ipv4", hook: "forward", priority: 0 },
        1,
      ),
      probeLink(
        "netfilter with defragmentation",
        "netfilter",
        { kind: "netfilter", family: "ipv4", hook: "forward", priority: 0, defragment: true },
        1,
      ),
      probeLink("tcx", "sched-cls", { kind: "tcx", attach: "tcx-egress", ifindex: 1 }, TCX_NEXT),
    ]);
  } finally {
    closeSync(netns);
  }
}

/** To a group of nobody, made for it. */
function probeGroupLink(): Feature {
  const name = "link cgroup";
  const mount = cgroup2Mount();
  if (mount === null) return { name, obstacle: { kind: "absent", what: "cgroup2" } };
  const folder = mkdtempSync(join(mount, "bulkhead-probe-"));
  try {
    const fd = openSync(folder, "r");
    try {
      return probeLink("cgroup", "cgroup-skb", { kind: "cgroup", attach: "cgroup-egress", fd }, 1);
    } finally {
      closeSync(fd);
    }
  } finally {
    rmdirSync(folder);
  }
}

function probeLibrary(): Feature {
  const name = "library";
  try {
    libbpf();
    return { name, obstacle: null };
  } catch (error) {
    return { name, obstacle: { kind: "library", name: "libbpf.so.1", reason: String(error) } };
  }
}

const KERNEL_TYPES = "/sys/kernel/btf/vmlinux";

/** Everything at once, in some hundredths of a second; nothing stays behind. `helpers`: those that the caller's programs call. */
export function probeBpf(helpers: readonly HelperWish[] = []): readonly Feature[] {
  const missing = missingCapabilities();
  if (missing.length > 0)
    return [{ name: "capabilities", obstacle: { kind: "capability", missing } }];
  const maps = (Object.keys(MAP_KIND) as MapKind[]).filter((kind) => !STORAGE.includes(kind));
  return [
    { name: "capabilities", obstacle: null },
    probeLibrary(),
    {
      name: "types of the kernel",
      obstacle: existsSync(KERNEL_TYPES) ? null : { kind: "absent", what: KERNEL_TYPES },
    },
    { name: "mounts that stay", obstacle: mountsOutliveUs() ? null : { kind: "mounts" } },
    ...maps.map(probeMap),
    ...PROGRAMS.map((each) => probeProgram(...each)),
    ...helpers.map(probeHelper),
    ...probeLinks(),
    probeGroupLink(),
  ];
}

/** For a person: `program netfilter: the kernel says EINVAL (bpf programLoad)`. */
export function obstacleText({ name, obstacle }: Feature): string {
  if (obstacle === null) return `${name}: works`;
  switch (obstacle.kind) {
    case "capability":
      return `${name}: missing ${obstacle.missing.join(", ")}`;
    case "kernel":
      return `${name}: the kernel says ${obstacle.code} (${obstacle.call})`;
    case "absent":
      return `${name}: there is no ${obstacle.what}`;
    case "library":
      return `${name}: ${obstacle.name} cannot be loaded (${obstacle.reason})`;
    case "mounts":
      return `${name}: this process is in a mount namespace of its own, so that what it pins would end with it`;
  }
}
