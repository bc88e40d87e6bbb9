/** What one label may be, as a set: values that are named, all but those, and whether it may be absent. Closed under all set operations. */
import type { Requirement } from "@bulkhead/model";

export interface Domain {
  /** Without the label, too. */
  readonly absent: boolean;
  /** All values but these, not these alone. */
  readonly except: boolean;
  readonly values: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

export const PRESENT: Domain = { absent: false, except: true, values: NONE };
export const ABSENT: Domain = { absent: true, except: false, values: NONE };

const NOTHING: Domain = { absent: false, except: false, values: NONE };

export function oneOf(...values: readonly string[]): Domain {
  return { absent: false, except: false, values: new Set(values) };
}

/** As Kubernetes has it, `NotIn` holds for who lacks the label. */
export function domainOf(requirement: Requirement): Domain {
  switch (requirement.operator) {
    case "In":
      return oneOf(...requirement.values);
    case "NotIn":
      return complement(oneOf(...requirement.values));
    case "Exists":
      return PRESENT;
    case "DoesNotExist":
      return ABSENT;
  }
}

export function complement({ absent, except, values }: Domain): Domain {
  return { absent: !absent, except: !except, values };
}

export function meet(a: Domain, b: Domain): Domain {
  const absent = a.absent && b.absent;
  if (a.except && b.except) return { absent, except: true, values: a.values.union(b.values) };
  const [finite, other] = a.except ? [b, a] : [a, b];
  if (finite.values.size === 1) {
    const [only] = finite.values;
    if (other.values.has(only!) === other.except) return absent ? ABSENT : NOTHING;
    return finite.absent === absent ? finite : { absent, except: false, values: finite.values };
  }
  const values = other.except
    ? finite.values.difference(other.values)
    : finite.values.intersection(other.values);
  return { absent, except: false, values };
}

export function isNothing({ absent, except, values }: Domain): boolean {
  return !absent && !except && values.size === 0;
}
