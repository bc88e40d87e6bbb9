/**
 * How much an agent may tell, and which text. An agent reads what others wrote (crontabs, labels, names of programs), and a
 * machine may be its enemy's: every list and every text has a bound, whether or not it is named here, and nothing in a text may
 * steer a terminal. What is refused is counted by its place; the rest of the message stands, and so does the connection.
 *
 *   bytes ──► longest of its kind? ──► decoded ──► lists, texts ──► the controller
 *                    │ no                              │ refused
 *                    └──► `unreadable`                 └──► counted, told by `status`
 */
import { STEERING, withoutSteering } from "@bulkhead/model";
import type { AgentMessage } from "./messages.ts";

/** In words of ours: nothing in it was chosen by whoever sent it. */
export interface Refusal {
  /** `expected.schedules.name`. */
  readonly place: string;
  /** `control characters`. */
  readonly why: string;
  readonly count: number;
}

export interface Heard {
  /** Absent when nothing of it could be kept. */
  readonly message?: AgentMessage;
  readonly refused: readonly Refusal[];
}

interface Bound {
  /** Entries of a list or a map. */
  readonly most?: number;
  /** UTF-16 units. */
  readonly longest?: number;
  /** `refuse`: whatever it is part of. `replace`: it is cut, and shown with signs in their place. `pass`: whoever prints it makes it harmless. */
  readonly steering?: "refuse" | "replace" | "pass";
  /** Line ends and tabs are part of it. */
  readonly lines?: true;
  /** A record of names that others chose, each of which may fall alone. */
  readonly map?: true;
  readonly fields?: Readonly<Record<string, Bound>>;
  /** What is not among `fields`. */
  readonly rest?: Bound;
}

const MOST = 20_000;
/** PATH_MAX of Linux; no name of anything is longer. */
const LONGEST = 4096;
const MEBIBYTE = 1 << 20;

const SENTENCE: Bound = { longest: 64 * 1024, steering: "replace", lines: true };
const SENTENCES: Bound = { ...SENTENCE, longest: LONGEST, most: 1000 };
const NAME: Bound = { longest: 1024, steering: "replace" };
/** A policy goes by it: whoever names a thing oddly must not get out of sight by that. */
const HANDLE: Bound = { steering: "pass" };
/**
 * More than an image can have: its labels come before those that whoever runs it gives it, by which a policy may deny. Bytes are
 * what bounds them.
 */
const LABELS: Bound = {
  map: true,
  most: 1_000_000,
  longest: LONGEST,
  steering: "replace",
  lines: true,
};
const PROCESS: Bound = { fields: { name: NAME, user: NAME, cgroup: HANDLE, unit: HANDLE } };
const NAMES: Bound = { most: 64, longest: 255 };
const LINKS: Bound = { most: 100_000, fields: { interface: HANDLE } };
const COUNTERS: Bound = { map: true, longest: 255 };
const BRIEF: Bound = { longest: 1024 };

const BOUNDS: Readonly<Record<AgentMessage["kind"], Bound>> = {
  hello: {},
  discovered: {
    fields: {
      endpoints: {
        most: 100_000,
        fields: {
          name: NAME,
          image: NAME,
          interface: HANDLE,
          bridge: HANDLE,
          netnsPath: HANDLE,
          containerLabels: LABELS,
        },
      },
      ports: LINKS,
      unread: LINKS,
      hostAddresses: { most: 100_000 },
      sessions: { most: 100_000, fields: { what: NAME } },
      relays: { most: 1000, ...NAME },
      processes: {
        most: 100_000,
        fields: {
          cgroup: HANDLE,
          unit: HANDLE,
          user: NAME,
          container: NAME,
          containerLabels: LABELS,
          image: NAME,
          borrowed: { fields: { maker: HANDLE } },
        },
      },
      processesProblem: SENTENCE,
    },
  },
  flows: {
    fields: {
      records: {
        most: 1_000_000,
        fields: {
          sourceNames: NAMES,
          destinationNames: NAMES,
          sourceProcess: PROCESS,
          destinationProcess: PROCESS,
        },
      },
    },
  },
  applied: { fields: { error: SENTENCE, differences: SENTENCES } },
  drift: { fields: { differences: SENTENCES } },
  rendered: {
    fields: {
      ruleset: { longest: 256 * MEBIBYTE, steering: "replace", lines: true },
      error: SENTENCE,
    },
  },
  probed: { fields: { detail: SENTENCE, error: SENTENCE } },
  health: { fields: { undecided: { most: 100_000 }, counters: COUNTERS } },
  units: {
    fields: {
      units: {
        fields: {
          cgroup: HANDLE,
          processes: { fields: { name: NAME, user: NAME } },
          users: NAME,
          executable: { fields: { path: NAME, package: NAME } },
        },
      },
      error: SENTENCE,
    },
  },
  "rule-counters": {
    fields: { rules: { most: 1_000_000 }, counters: COUNTERS, error: SENTENCE },
  },
  connections: {
    fields: {
      connections: {
        most: 100_000,
        fields: { sourceCgroup: HANDLE, destinationCgroup: HANDLE },
      },
      error: SENTENCE,
    },
  },
  checked: { fields: { checks: { fields: { detail: SENTENCE } }, error: SENTENCE } },
  // An honest agent finds 2,000 lines of crontabs, some hundred timers and 2,000 destinations at most.
  expected: {
    fields: {
      timeZone: { longest: 64 },
      schedules: { most: 5000, rest: BRIEF },
      dependencies: { most: 5000, rest: BRIEF },
      problems: { most: 200, longest: 1024, steering: "replace" },
    },
  },
  kept: {},
  "went-back": {},
  unreadable: {},
};

const LONGEST_MESSAGE: Readonly<Partial<Record<AgentMessage["kind"], number>>> = {
  discovered: 128 * MEBIBYTE,
  flows: 128 * MEBIBYTE,
  rendered: 256 * MEBIBYTE,
  units: 64 * MEBIBYTE,
  "rule-counters": 128 * MEBIBYTE,
  health: 32 * MEBIBYTE,
};

/** So many bytes a message of this kind may have; more are not even decoded. */
export const longestOf = (kind: AgentMessage["kind"] | undefined): number =>
  (kind === undefined ? undefined : LONGEST_MESSAGE[kind]) ?? 8 * MEBIBYTE;

const REFUSED = Symbol("refused");
type Kept<T> = T | typeof REFUSED;

/** What is within its bounds comes back as the same objects. */
export function boundMessage(message: AgentMessage): Heard {
  if (message.kind === "unreadable") {
    return { refused: [{ place: message.told, why: message.why, count: 1 }] };
  }
  const refused = new Map<string, Refusal>();
  const path: string[] = [message.kind];
  const refuse = (why: string, count = 1): typeof REFUSED => {
    const place = path.join(".");
    const key = `${place} ${why}`;
    refused.set(key, { place, why, count: count + (refused.get(key)?.count ?? 0) });
    return REFUSED;
  };
  const kept = within(message, BOUNDS[message.kind], path, refuse) as Kept<AgentMessage>;
  return { ...(kept === REFUSED ? {} : { message: kept }), refused: [...refused.values()] };
}

type Refuse = (why: string, count?: number) => typeof REFUSED;

function within(value: unknown, bound: Bound, path: string[], refuse: Refuse): unknown {
  if (typeof value === "string") return text(value, bound, refuse);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.length > LONGEST ? refuse("length") : value;
  if (Array.isArray(value)) return list(value, bound, path, refuse);
  const record = value as Readonly<Record<string, unknown>>;
  return bound.map === true ? map(record, bound, refuse) : fields(record, bound, path, refuse);
}

const LINE_ENDS = /[\n\r\t]/g;

function text(value: string, bound: Bound, refuse: Refuse): Kept<string> {
  const { longest = LONGEST, steering = "refuse", lines } = bound;
  if (value.length > longest) {
    refuse("length");
    return steering === "replace"
      ? text(`${value.slice(0, longest - 1)}…`, bound, refuse)
      : REFUSED;
  }
  if (steering === "pass" || !STEERING.test(value)) return value;
  if (lines === true && !STEERING.test(value.replaceAll(LINE_ENDS, " "))) return value;
  refuse("control characters");
  if (steering === "refuse") return REFUSED;
  return lines === true
    ? value
        .split(/([\n\r\t])/)
        .map((part) => (part.length === 1 ? part : withoutSteering(part)))
        .join("")
    : withoutSteering(value);
}

function list(values: readonly unknown[], bound: Bound, path: string[], refuse: Refuse) {
  const { most = MOST } = bound;
  if (values.length > most) refuse("number", values.length - most);
  let changed: unknown[] | undefined = values.length > most ? values.slice(0, most) : undefined;
  const many = Math.min(values.length, most);
  let removed = false;
  for (let at = 0; at < many; at += 1) {
    const found = within(values[at], bound, path, refuse);
    if (found === values[at]) continue;
    changed ??= [...values];
    changed[at] = found;
    removed ||= found === REFUSED;
  }
  if (changed === undefined) return values;
  return removed ? changed.filter((one) => one !== REFUSED) : changed;
}

const PLAIN: Bound = {};

/** A record stands and falls with each of its texts. */
function fields(
  value: Readonly<Record<string, unknown>>,
  bound: Bound,
  path: string[],
  refuse: Refuse,
): Kept<Readonly<Record<string, unknown>>> {
  let changed: Record<string, unknown> | undefined;
  for (const key in value) {
    path.push(key);
    const found = within(value[key], bound.fields?.[key] ?? bound.rest ?? PLAIN, path, refuse);
    path.pop();
    if (found === REFUSED) return REFUSED;
    if (found === value[key]) continue;
    changed ??= { ...value };
    changed[key] = found;
  }
  return changed ?? value;
}

/** Its keys are never told: whoever sent it chose them. */
function map(value: Readonly<Record<string, unknown>>, bound: Bound, refuse: Refuse) {
  const { most = MOST, longest = LONGEST } = bound;
  const entries = Object.entries(value);
  if (entries.length > most) refuse("number", entries.length - most);
  let isSame = entries.length <= most;
  const kept = entries.slice(0, most).flatMap(([key, one]): [string, unknown][] => {
    const name = text(key, { longest }, refuse);
    const found = typeof one === "string" ? text(one, bound, refuse) : one;
    isSame &&= name !== REFUSED && found === one;
    return name === REFUSED || found === REFUSED ? [] : [[name, found]];
  });
  return isSame ? value : Object.fromEntries(kept);
}
