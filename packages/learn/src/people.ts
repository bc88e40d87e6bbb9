/**
 * People are not services: what an administrator needs tomorrow is not in what was seen today. Whoever sits at a shell, and what
 * people have run by the clock, is left unconfined unless a person says otherwise; a service that they use is told of them all
 * the same, at its own end alone. Known by labels of systemd's tree, of processes of the machine.
 */
import { selectorOf, type Direction, type Edge, type Labels } from "@bulkhead/model";
import { isAdministration, isServer } from "./administration.ts";
import type { End, Relation } from "./ends.ts";
import type { Group } from "./groups.ts";
import { SLICE_KEY, UNIT_KEY, USER_KEY, type MachineProcesses } from "./machine.ts";
import { by, compareText, groupBy } from "./order.ts";
import type { RawNeed } from "./world.ts";

/** They run what is in everybody's tables: crontab(5), at(1). */
const CLOCKS = /^(cron|crond|cronie|anacron|fcron|atd)\.service$/;
/** Where `systemd-run --scope` puts what somebody starts by hand; those of virtual machines lie elsewhere. */
const BY_HAND = ["system.slice", "user.slice"];
/**
 * A runtime's scope holds a workload that nobody sits at, also where no runtime told of it: runc's and crun's defaults are
 * `system.slice/runc-NAME.scope`.
 */
const OF_RUNTIMES =
  /^(?:runc|crun|youki|kata|lxc|libpod|docker|cri-containerd|crio|nerdctl|buildah|machine|qemu)[-.]/;
const SLICE_OF_USER = /^user-\d+\.slice$/;

export type Unconfined = "people" | "administration" | "resolver";

export interface PeopleOptions {
  readonly processes: MachineProcesses;
  readonly includePeople: boolean;
  /** The machine's own, by workload. */
  readonly resolvers: ReadonlySet<string>;
}

/** Undefined for whoever has a bounded set of peers to learn. */
function unconfined(end: End, { processes, includePeople }: PeopleOptions): Unconfined | undefined {
  if (end.kind !== "group") return undefined;
  if (isServer(end, processes)) return "administration";
  if (includePeople) return undefined;
  const arePeople = end.group.members.every((id) => isPerson(processes.get(id)));
  return arePeople ? "people" : undefined;
}

function isPerson(labels: Labels | undefined): boolean {
  if (labels === undefined) return false;
  const { [UNIT_KEY]: unit = "", [SLICE_KEY]: slice = "" } = labels;
  const byHand = unit.endsWith(".scope") && BY_HAND.includes(slice) && !OF_RUNTIMES.test(unit);
  // Whom a directory service knows has no name in the machine's own list, and so no label of the user's.
  const sliceOfUser = slice === "user.slice" && SLICE_OF_USER.test(unit);
  return Object.hasOwn(labels, USER_KEY) || sliceOfUser || CLOCKS.test(unit) || byHand;
}

export type Sides =
  /** Nobody is confined by it: no rule is needed. */
  | {
      readonly kind: "left";
      readonly reason: Unconfined;
      readonly detailOf: (edge: Edge) => string;
    }
  /** Both ends are services, or outside. */
  | { readonly kind: "both" }
  /** A rule for one end alone, and never for who is not to be confined. */
  | { readonly kind: "one"; readonly only: Direction };

export function sidesOf(relation: Relation, options: PeopleOptions): Sides {
  const { source, destination } = relation;
  const { resolvers } = options;
  const from = unconfined(source, options);
  const wayIn = isAdministration(relation, options.processes);
  const resolves =
    destination.kind === "group" && destination.group.members.some((id) => resolvers.has(id));
  const heard = resolves ? "resolver" : unconfined(destination, options);
  const to = wayIn ? "administration" : heard;
  if (from === undefined && to === undefined) return { kind: "both" };
  if (from === undefined && source.kind === "group") return { kind: "one", only: "egress" };
  if (to === undefined && destination.kind === "group") return { kind: "one", only: "ingress" };
  if (wayIn) return { kind: "left", reason: "administration", detailOf: leftOpen };
  const reason = from ?? to ?? "people";
  return { kind: "left", reason, detailOf: () => DETAILS[reason] };
}

const DETAILS: Readonly<Record<Unconfined, string>> = {
  people:
    "people are not confined: what they need tomorrow was not seen today (--include-people confines them)",
  administration: "people come in by it to administer the machine, and it is not confined",
  resolver: "every process of the machine asks it for names, seen or not: it is left open",
};

function leftOpen({ destination }: Edge): string {
  return `people come in by it to administer the machine, and it is left open: confine \`${destination.name}\` by hand, with every address they may come from`;
}

/** Where several users need the same of one service, people need it. */
export function joinUsers(
  needs: readonly RawNeed[],
  { includePeople }: PeopleOptions,
): readonly RawNeed[] {
  if (includePeople) return needs;
  const key = ({ source, destination, protocol, port, purpose, only }: RawNeed): string =>
    isUser(source) && only === "ingress"
      ? [source.group.namespace, destination.key, protocol, port, purpose].join("\n")
      : "";
  return [...groupBy(needs, key)].flatMap(([shared, own]) => {
    const [first] = own;
    if (shared === "" || first === undefined || own.length === 1) return own;
    const source = everybody(own.flatMap((need) => (isUser(need.source) ? need.source.group : [])));
    return [
      {
        ...first,
        source,
        rare: own.every((need) => need.rare),
        edges: own.flatMap((need) => need.edges),
      },
    ];
  });
}

function isUser(end: End): end is Extract<End, { kind: "group" }> {
  return (
    end.kind === "group" &&
    end.group.selector.requirements.some(
      ({ key, operator }) => key === USER_KEY && operator === "In",
    )
  );
}

function everybody(users: readonly Group[]): Extract<End, { kind: "group" }> {
  const [first] = users.toSorted(by((group) => group.id));
  if (first === undefined) throw new Error("people without anybody");
  const { namespace } = first;
  const selector = selectorOf([{ key: USER_KEY, operator: "Exists" }]);
  const members = [...new Set(users.flatMap((group) => group.members))].toSorted(compareText);
  const group: Group = {
    id: `${namespace} ${JSON.stringify(selector.requirements)}`,
    namespace,
    application: namespace,
    name: "people",
    selector,
    family: selector,
    members,
  };
  return { kind: "group", key: `group ${group.id}`, group };
}
