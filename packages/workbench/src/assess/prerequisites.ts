/** What is missing before confining can be trusted: names, sight, owners, tests, ends of exceptions. */
import { DAY_MS, type Workload } from "@bulkhead/model";
import type { AssessInput } from "./assess.ts";

export interface Prerequisite {
  readonly kind:
    | "workloads"
    | "labels"
    | "collector"
    | "losses"
    | "unread"
    | "clock"
    | "dns"
    | "flows"
    | "owners"
    | "tests"
    | "enforcement"
    | "exceptions"
    | "schedules"
    | "configuration";
  /** `blocks`: what follows rests on it. */
  readonly weight: "blocks" | "weakens";
  readonly text: string;
  readonly why: string;
  /** A few of whom it is about. */
  readonly samples: readonly string[];
  readonly command: string;
}

const MOST_SAMPLES = 5;
/** Clocks of machines that are kept right differ by less. */
const CLOCK_MS = 120_000;
/** An exception that ends later has no end that anybody will see. */
const FAR_DAYS = 90;

export function prerequisitesOf(input: AssessInput): readonly Prerequisite[] {
  const {
    index,
    edges,
    live,
    policies,
    tests,
    exceptions,
    now,
    dependencies,
    unreadable = [],
  } = input;
  const all = [...index.workloads.values()];
  const found: (Prerequisite | false | undefined)[] = [
    all.length === 0 &&
      one("workloads", "blocks", "nobody is known", "there is nothing to confine", {
        command: live === undefined ? "workloads --inventory > inventory.yaml" : "doctor",
      }),
    ...sight(input),
    unnamed(all),
    edges?.some(({ lastSeen }) => lastSeen > now + CLOCK_MS) === true &&
      one("clock", "weakens", "flows come from the future", "a clock is wrong, and dates with it", {
        command: "doctor",
      }),
    edges !== undefined &&
      edges.length > 0 &&
      !edges.some(({ destination }) => destination.names !== undefined) &&
      one(
        "dns",
        "weakens",
        "no names were seen in DNS",
        "what is outside stays a list of addresses",
        {
          command: "observe --follow",
        },
      ),
    about(
      "owners",
      policies.flatMap(({ name, owner }) => (owner === undefined ? [name] : [])),
      (count) => `${count} of ${policies.length} policies have no owner`,
      "nobody is asked when a rule stands in the way",
      "policies",
    ),
    policies.length > 0 &&
      tests === 0 &&
      one("tests", "weakens", "no policy is tested", "a change can break what nobody wrote down", {
        command: "test",
      }),
    live !== undefined &&
      policies.length > 0 &&
      live.modes.enforce === 0 &&
      one(
        "enforcement",
        "weakens",
        "nothing is enforced",
        "an intruder is watched, and not stopped",
        {
          command: "apply policies/ --mode enforce --canary 5%",
        },
      ),
    about(
      "exceptions",
      exceptions.flatMap(({ name, until }) =>
        until === undefined || until > now + FAR_DAYS * DAY_MS ? [name] : [],
      ),
      (count) => `${count} exceptions end in more than ${FAR_DAYS} days, or never`,
      "what was meant for a while stays open",
      "policies",
    ),
    about(
      "schedules",
      unreadable,
      (count) => `${count} times of jobs cannot be read`,
      "nobody waits for what they would need",
      "readiness",
    ),
    live !== undefined &&
      live.readConfiguration.length === 0 &&
      dependencies.length === 0 &&
      one(
        "configuration",
        "weakens",
        "whom workloads are configured to call is not read",
        "a dependency that is seldom used is found out when it is denied",
        { command: "up --read-configuration environment" },
      ),
  ];
  return found.filter((each) => each !== false && each !== undefined);
}

function sight({ live, edges }: AssessInput): readonly (Prerequisite | false | undefined)[] {
  if (live === undefined) return [];
  const dead = live.collectors.filter(({ alive }) => !alive).map(({ host }) => host);
  return [
    (dead.length > 0 || live.collectors.length === 0) && {
      ...one("collector", "blocks", "nobody looks at the network", "no flow is recorded", {
        command: "status",
      }),
      samples: dead,
    },
    edges?.length === 0 &&
      (live.recorded === 0
        ? one("flows", "blocks", "nobody was seen to talk to anybody", "a rule would be a guess", {
            command: "observe --follow",
          })
        : one("flows", "blocks", "nothing that was seen suggests a rule", "it is set aside", {
            command: "suggest",
          })),
    live.lost > 0 &&
      one("losses", "weakens", `${live.lost} events were lost`, "what they told is missing", {
        command: "status",
      }),
    about(
      "unread",
      live.unread,
      (count) =>
        count === 1
          ? "one thing here cannot be told apart"
          : `${count} things here cannot be told apart`,
      "who is not known cannot be confined",
      "workloads",
    ),
  ];
}

const unnamed = (all: readonly Workload[]): Prerequisite | undefined => {
  const without = all.filter(({ labels }) =>
    Object.keys(labels).every((key) => key.startsWith("bulkhead.dev/") || key.startsWith(":")),
  );
  return about(
    "labels",
    without.map(({ id }) => id),
    (count) => `${count} of ${all.length} workloads have no labels`,
    "a rule can name them by address only",
    "label",
  );
};

function one(
  kind: Prerequisite["kind"],
  weight: Prerequisite["weight"],
  text: string,
  why: string,
  { command }: { readonly command: string },
): Prerequisite {
  return { kind, weight, text, why, samples: [], command };
}

/** Nothing where it is about nobody. */
function about(
  kind: Prerequisite["kind"],
  whom: readonly string[],
  text: (count: number) => string,
  why: string,
  command: string,
): Prerequisite | undefined {
  if (whom.length === 0) return undefined;
  return {
    ...one(kind, "weakens", text(whom.length), why, { command }),
    samples: whom.slice(0, MOST_SAMPLES),
  };
}
