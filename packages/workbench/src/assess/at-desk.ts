/** What resources tell of policies, owners, tests and exceptions; and a folder assessed, without a machine. */
import {
  expectationsOf,
  formatResourceName,
  isPolicyResource,
  resourceName,
  type Resource,
} from "@bulkhead/dialects";
import { ownerOf as ownerIn } from "@bulkhead/learn";
import type { Desk } from "../desk/index.ts";
import { assess, type Assessment, type AssessInput } from "./assess.ts";

export type PolicyFacts = Pick<AssessInput, "policies" | "exceptions" | "tests">;

export function policyFacts(resources: readonly Resource[]): PolicyFacts {
  const policies = resources.filter(isPolicyResource).map((resource) => {
    const owner = ownerOf(resource);
    return {
      name: formatResourceName(resourceName(resource)),
      ...(owner === undefined ? {} : { owner }),
    };
  });
  const exceptions = resources.flatMap((one) => {
    if (one.dialect !== "native" || one.object.kind !== "Exception") return [];
    return [{ name: formatResourceName(resourceName(one)), until: one.object.spec.expires }];
  });
  const tests = resources.flatMap((one) =>
    one.dialect === "native" && one.object.kind === "PolicyTest" ? one.object.spec.tests : [],
  ).length;
  return { policies, exceptions, tests };
}

/** Ours have a field for it, others a label or an annotation. */
function ownerOf({ dialect, object }: Resource): string | undefined {
  if (dialect === "native" && "spec" in object && "owner" in object.spec) {
    const { owner } = object.spec;
    if (typeof owner === "string") return owner;
  }
  const { labels, annotations } = object.metadata as {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  return ownerIn({ ...annotations, ...labels });
}

/** `versioned`: does the folder lie in a repository? */
export function assessAtDesk(desk: Desk, now: number, versioned: boolean | undefined): Assessment {
  const { dependencies } = expectationsOf(desk.resources, [...desk.workloads.values()]);
  return assess({
    set: desk.set,
    index: desk.index,
    now,
    dependencies,
    ...policyFacts(desk.resources),
    ...(versioned === undefined ? {} : { versioned }),
  });
}
