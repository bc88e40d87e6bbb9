/**
 * What a unit of the machine is called, and what it is labelled with: by its place among the control groups, by its user and
 * by its container runtime, by nothing that it says of itself. A name follows from the unit alone; units whose names would be
 * one are told apart by their paths, so that neither takes the other's when it goes.
 */
import { createHash } from "node:crypto";
import type { CgroupPath, Labels } from "@bulkhead/model";
import type { DiscoveredProcess } from "@bulkhead/wire";
import { composeProject, nameFrom, runtimeLabels } from "./runtime-labels.ts";

export interface UnitName {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
}

/** Namespace of the machine's own units. */
export const UNIT_NAMESPACE = "host";
const UNIT = "bulkhead.dev/unit";
const SLICE = "bulkhead.dev/slice";
const USER = "bulkhead.dev/user";
/** Kubernetes: of a label's value, and of one part of a name. */
const LONGEST = 63;

/** By control group. */
export function nameUnits(
  processes: readonly DiscoveredProcess[],
): ReadonlyMap<CgroupPath, UnitName> {
  const plain = processes.map((process) => ({ process, ...plainName(process) }));
  const sharing = Map.groupBy(plain, ({ namespace, name }) => `${namespace}/${name}`);
  return new Map(
    plain.map(({ process, namespace, name, exact }) => {
      const alone = (sharing.get(`${namespace}/${name}`) ?? []).length === 1 || exact;
      const mark = alone ? "" : `-${hashOf(process.cgroup)}`;
      return [
        process.cgroup,
        { namespace, name: `${name}${mark}`, labels: labelsOf(process, mark) },
      ];
    }),
  );
}

/** `exact`: the name is the unit's own, letter by letter. */
function plainName(process: DiscoveredProcess): {
  readonly namespace: string;
  readonly name: string;
  readonly exact: boolean;
} {
  const { form, unit, user, container, containerLabels = {} } = process;
  switch (form) {
    case "user": {
      const who = user === undefined ? unit.slice(0, -".slice".length) : `user-${user}`;
      return { namespace: UNIT_NAMESPACE, name: objectName(who), exact: false };
    }
    case "container": {
      const namespace = composeProject(containerLabels) || UNIT_NAMESPACE;
      return { namespace, name: objectName(container ?? shortId(unit)), exact: false };
    }
    case "service":
    case "scope":
    case "group": {
      const name = objectName(decodeUnit(unit));
      return { namespace: UNIT_NAMESPACE, name, exact: name === unit };
    }
  }
}

function labelsOf(process: DiscoveredProcess, mark: string): Labels {
  const { form, unit, user, container, containerLabels = {}, cgroup } = process;
  // Its group is called by a number that every restart draws anew.
  if (form === "container") return container === undefined ? {} : runtimeLabels(containerLabels);
  const slice = sliceOf(cgroup);
  const app = form === "user" ? "" : applicationOf(unit);
  return {
    [UNIT]: `${labelValue(decodeUnit(unit), LONGEST - mark.length)}${mark}`,
    ...(slice === "" ? {} : { [SLICE]: labelValue(slice) }),
    ...(user === undefined ? {} : { [USER]: labelValue(user) }),
    ...(app === "" ? {} : { app }),
  };
}

/** `postgresql` of `postgresql@15-main.service`; nothing for what systemd-run made up. */
function applicationOf(unit: string): string {
  const base = decodeUnit(unit.replace(/\.(?:service|scope)$/, "").replace(/@.*$/s, ""));
  return base.startsWith("run-") ? "" : labelValue(base);
}

function sliceOf(cgroup: CgroupPath): string {
  const above = cgroup.split("/").slice(0, -1);
  return decodeUnit(above.findLast((part) => part.endsWith(".slice")) ?? "");
}

/** systemd.unit(5): bytes that a unit's name cannot hold are `\xHH`. */
export function decodeUnit(unit: string): string {
  return unit.replaceAll(/(?:\\x[0-9a-fA-F]{2})+/g, (escaped) =>
    Buffer.from(escaped.replaceAll("\\x", ""), "hex").toString("utf8"),
  );
}

/** `docker-0123456789ab` of a group that is called by a container's id. */
const shortId = (unit: string): string =>
  unit.replace(/\.scope$/, "").replace(/[0-9a-f]{64}/, (id) => id.slice(0, 12));

/** RFC 1123 subdomain. */
function objectName(text: string): string {
  const parts = nameFrom(text)
    .split(".")
    .map((part) => shortened(part.replaceAll(/^-+|-+$/g, ""), LONGEST))
    .filter((part) => part !== "");
  return shortened(parts.join("."), 240) || "unit";
}

function labelValue(text: string, longest = LONGEST): string {
  return shortened(
    text.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").replaceAll(/^[-_.]+|[-_.]+$/g, ""),
    longest,
  );
}

function shortened(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 9)}-${hashOf(text, 8)}`;
}

const hashOf = (text: string, digits = 6): string =>
  createHash("sha256").update(text).digest("hex").slice(0, digits);
