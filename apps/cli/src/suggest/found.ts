/** A suggestion, whoever made it: the running controller, or this process of recorded flows; and the same in another dialect's words. */
import type { SuggestAnswer } from "@bulkhead/api";
import type { ReplayCounts } from "@bulkhead/workbench";
import type { Context } from "../context.ts";
import { badInput } from "../failure.ts";
import { withProgress } from "../progress.ts";
import type { Asked, SuggestOptions } from "./asked.ts";
import type { Dialect, Surroundings } from "./dialect.ts";

export interface Found {
  readonly answer: SuggestAnswer;
  /** Everybody who is there, with what is in force; or everybody in the export. */
  readonly surroundings: () => Promise<Surroundings>;
  /** In which dialect it is written; absent for our own. */
  readonly dialect?: string;
  readonly replay?: ReplayCounts;
  /** Not one of the flows tells of a workload. */
  readonly ofNobody?: boolean;
  /** The export could not be read to its end: no script may take its half for the whole. */
  readonly isBroken?: boolean;
  /** To stderr: what could not be read of an export. */
  readonly remarks: readonly string[];
}

export async function fromSystem(
  context: Context,
  asked: Asked,
  replaying: boolean,
): Promise<Found> {
  const { span, exclude, ranges, namespaces, includePeople, accept, maxRules, all } = asked;
  const { proposeLabels, formerRoles } = asked;
  const client = await context.client();
  const answer = await withProgress(context, "studying what was seen", () =>
    client.call("suggest", {
      ...span,
      ...(namespaces === undefined ? {} : { namespaces: [...namespaces] }),
      ...(ranges.length === 0 ? {} : { ranges: [...ranges] }),
      ...(exclude.length === 0 ? {} : { exclude: [...exclude] }),
      ...(includePeople ? { includePeople } : {}),
      ...(accept.length === 0 ? {} : { accept: [...accept] }),
      ...(maxRules === undefined ? {} : { maxRules }),
      ...(all ? { all } : {}),
      ...(proposeLabels ? { proposeLabels, formerRoles } : {}),
    }),
  );
  const surroundings = async (): Promise<Surroundings> => {
    const { readEverybody } = await import("../offline/in-force.ts");
    const [everybody, { files }] = await Promise.all([
      readEverybody(client),
      client.call("inForce", {}),
    ]);
    return { everybody, inForce: files };
  };
  if (!replaying || answer.rules.length === 0) return { answer, surroundings, remarks: [] };
  const { newlyDenied, newlyAllowed, unchanged, edges } = await withProgress(
    context,
    "replaying recorded traffic",
    () => client.call("replay", { files: answer.files, ...span, mode: "enforce" }),
  );
  const edgesOf = (rows: typeof newlyDenied) => rows.map(({ edge }) => edge);
  return {
    answer,
    surroundings,
    remarks: [],
    replay: {
      edges,
      newlyDenied: edgesOf(newlyDenied),
      newlyAllowed: edgesOf(newlyAllowed),
      unchanged,
    },
  };
}

export async function fromFlows(
  context: Context,
  file: string,
  format: string | undefined,
  asked: Asked,
): Promise<Found> {
  const [{ suggestOffline }, { importRemarks, isOfNobody }, { readRange }] = await Promise.all([
    import("./offline.ts"),
    import("../views/import.ts"),
    import("@bulkhead/learn"),
  ]);
  const ranges = asked.ranges.map((text) => {
    const read = readRange(text);
    if ("cidr" in read) return read.cidr;
    throw badInput(`\`--range\`: ${read.error}`, read.help);
  });
  const offline = await withProgress(context, "reading flows", () =>
    suggestOffline(context, file, {
      ...asked.span,
      exclude: asked.exclude,
      ranges,
      includePeople: asked.includePeople,
      all: asked.all,
      accept: asked.accept,
      proposeLabels: asked.proposeLabels,
      formerRoles: new Map(Object.entries(asked.formerRoles)),
      ...(asked.maxRules === undefined ? {} : { maxRules: asked.maxRules }),
      ...(asked.namespaces === undefined ? {} : { namespaces: asked.namespaces }),
      ...(format === undefined ? {} : { format }),
    }),
  );
  const { answer, replay, inventory } = offline;
  const surroundings = async (): Promise<Surroundings> => {
    const { DEFAULT_PROFILE } = await import("@bulkhead/model");
    return { everybody: { ...inventory, profile: DEFAULT_PROFILE }, inForce: [] };
  };
  const ofNobody = isOfNobody(offline.imported);
  const { isBroken } = offline;
  const remarks = importRemarks(offline, context.ui);
  return { answer, surroundings, replay, ofNobody, isBroken, remarks };
}

export async function dialectOf({ to, approximate }: SuggestOptions): Promise<Dialect | undefined> {
  if (to === undefined) {
    if (approximate === undefined) return undefined;
    throw badInput("`--approximate` is about another dialect", "give `--to`");
  }
  return (await import("./dialect.ts")).dialectNamed(to, approximate);
}

/** Undefined: it is refused, and said why. */
export async function inDialect(
  context: Context,
  found: Found,
  dialect: Dialect,
): Promise<Found | undefined> {
  if (found.answer.rules.length === 0) return found;
  const [{ writtenIn }, surroundings] = await Promise.all([
    import("./dialect.ts"),
    found.surroundings(),
  ]);
  const answer = await withProgress(context, "proving that it says the same", async () =>
    writtenIn(context, found.answer, surroundings, dialect),
  );
  return answer === undefined ? undefined : { ...found, answer, dialect: dialect.target.title };
}
