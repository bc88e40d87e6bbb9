/**
 * A suggestion in another dialect's words, proved to say the same over everybody who is there. What was seen stands above each object
 * whose name tells which rule it came from, and else at the top. With labels that are only proposed, it is proved as if they
 * were borne, for the rules count on them.
 */
import {
  formatResourceName,
  parseFiles,
  printResources,
  resourceName,
  toManifest,
  type Approximation,
  type ExportedObject,
  type SourceFile,
  type Target,
} from "@bulkhead/dialects";
import { hasErrors, type Labels, type NativeManifest } from "@bulkhead/model";
import { stringify } from "yaml";
import { inventoryExport, type ExportInput } from "../inventory-export.ts";
import { commentsIn, type SuggestionComments } from "../suggestion-comments.ts";
import { SUGGESTION_FILE } from "../suggestion-report.ts";
import type { SuggestedFile } from "../suggestion-files.ts";
import { convert, isRefused, type Conversion } from "./convert.ts";

/** What of an answer is needed here. */
export interface SuggestionFor {
  readonly files: readonly { readonly text: string }[];
  readonly rules: readonly {
    readonly resource: string;
    readonly application?: string | undefined;
  }[];
  readonly perApplication?: readonly SuggestedFile[] | undefined;
  readonly proposedLabels?:
    | readonly { readonly labels: Labels; readonly workloads: readonly string[] }[]
    | undefined;
}

export interface ConvertedSuggestion {
  readonly conversion: Conversion;
  /** Absent where it is refused. */
  readonly written?: {
    readonly text: string;
    readonly perApplication: readonly SuggestedFile[];
  };
}

export interface SuggestionInOptions {
  readonly now: number;
  readonly approximation?: Approximation;
  /** Of its NetworkSets a suggestion speaks by name, and does not repeat them. */
  readonly inForce?: readonly FileInForce[];
}

export interface FileInForce extends SourceFile {
  /** What of it is in force: the rest has been deleted, or said anew elsewhere. */
  readonly resources: readonly { readonly name: string }[];
}

export function suggestionIn(
  suggestion: SuggestionFor,
  everybody: ExportInput,
  target: Target,
  { inForce = [], ...options }: SuggestionInOptions,
): ConvertedSuggestion {
  const text = suggestion.files.map((file) => file.text).join("---\n");
  const given = { name: SUGGESTION_FILE, text };
  const conversion = convert(
    [
      given,
      { name: "(sets in force)", text: setsBeside(given, inForce) },
      { name: "(everybody)", text: inventoryExport(withProposed(everybody, suggestion)) },
    ],
    target,
    {
      ...options,
      outsideIsOutside: true,
      // Those it proposes labels for are there with them.
      leaveOut: ({ dialect, object }) =>
        dialect === "native" &&
        object.kind === "Inventory" &&
        object.source.file === SUGGESTION_FILE,
    },
  );
  // What could not be read would be missing in what is written, or in who it is proved over.
  if (isRefused(conversion) || hasErrors(conversion.desk.diagnostics)) return { conversion };
  const comments = commentsIn(text);
  const placed = conversion.written.objects.map((object) => ({
    object,
    resource: resourceOf(object, [...comments.above.keys()]),
  }));
  return {
    conversion,
    written: {
      text: textOf(placed, comments, headOf(target, conversion)),
      perApplication: filesOf(suggestion, placed, headOf(target, conversion)),
    },
  };
}

/** Those that the suggestion does not say anew. */
function setsBeside(suggestion: SourceFile, inForce: readonly FileInForce[]): string {
  const own = setsIn(suggestion);
  const sets = new Map(
    inForce.flatMap((file) => {
      const held = new Set(file.resources.map(({ name }) => name));
      return [...setsIn(file)].filter(([name]) => held.has(name) && !own.has(name));
    }),
  );
  return printResources([...sets.values()]);
}

function setsIn(file: SourceFile): ReadonlyMap<string, NativeManifest> {
  return new Map(
    parseFiles([file], { strangers: "left" }).resources.flatMap((resource) =>
      resource.dialect === "native" && resource.object.kind === "NetworkSet"
        ? [[formatResourceName(resourceName(resource)), toManifest(resource.object)] as const]
        : [],
    ),
  );
}

function withProposed(everybody: ExportInput, { proposedLabels = [] }: SuggestionFor): ExportInput {
  const proposed = new Map(
    proposedLabels.flatMap(({ labels, workloads }) => workloads.map((id) => [id, labels] as const)),
  );
  return {
    ...everybody,
    workloads: everybody.workloads.map((one) => ({
      ...one,
      labels: { ...one.labels, ...proposed.get(`${one.namespace}/${one.name}`) },
    })),
  };
}

function headOf(target: Target, { relation, proof }: Conversion): readonly string[] {
  const says = {
    same: "permits the same as",
    more: "permits all that is permitted by, and more than,",
    less: "permits less than",
  }[relation];
  const proved =
    proof?.answer === "yes"
      ? `, proved over ${proof.over[0] ?? "everybody"}`
      : `, which is not proved${proof?.because === undefined ? "" : `: ${proof.because}`}`;
  return [`# Written for ${target.title}: ${says} what was suggested${proved}.`];
}

interface Placed {
  readonly object: ExportedObject;
  readonly resource: string | undefined;
}

interface Meta {
  readonly name: string;
  readonly namespace?: string;
}

/** `web-to-db`, or `web-to-db-2`, `web-to-db-intent` and the like, where it can be no other's. */
function resourceOf(object: ExportedObject, resources: readonly string[]): string | undefined {
  const { name, namespace } = object["metadata"] as Meta;
  const fits = resources.filter((resource) => {
    const [kind, home, plain] = resource.split("/");
    if (kind === "NetworkSet" || kind === "Inventory" || plain === undefined) return false;
    if (namespace !== undefined && namespace !== home) return false;
    return [plain, plain.replaceAll(".", "-")].some((base) => {
      const own = namespace === undefined ? `${home}-${base}` : base;
      return name === own || (name.startsWith(`${own}-`) && MORE.test(name.slice(own.length)));
    });
  });
  return fits.length === 1 ? fits[0] : undefined;
}

/** What printers add where a name is taken. */
const MORE = /^(-intent|-policy|-ingress|-egress|-\d+)+$/;

function textOf(
  placed: readonly Placed[],
  comments: SuggestionComments,
  head: readonly string[],
): string {
  const found = new Set(placed.map(({ resource }) => resource));
  const others = [...comments.above].filter(([id, lines]) => lines.length > 0 && !found.has(id));
  return [
    ...[...comments.head, ...head, ...others.flatMap(apart)].map((line) => `${line}\n`),
    ...placed.map((one) => `---\n${objectText(one, comments)}`),
    ...comments.tail.map((line) => `${line}\n`),
  ].join("");
}

const apart = ([id, lines]: readonly [string, readonly string[]]): readonly string[] => [
  "#",
  `# ${id}:`,
  ...lines.map((line) => line.replace(/^#/, "#  ")),
];

function objectText({ object, resource }: Placed, { above }: SuggestionComments): string {
  const lines = above.get(resource ?? "") ?? [];
  const said = lines.length === 0 ? "" : `${lines.join("\n")}\n\n`;
  return `${said}${stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

/** An object is its rule's application's; what no single rule stands for, its namespace's. */
function filesOf(
  { rules, perApplication = [] }: SuggestionFor,
  placed: readonly Placed[],
  head: readonly string[],
): readonly SuggestedFile[] {
  const applications = new Map(rules.map(({ resource, application }) => [resource, application]));
  const homes = Map.groupBy(placed, ({ object, resource }) => {
    const { namespace } = object["metadata"] as Meta;
    return applications.get(resource ?? "") ?? namespace ?? "cluster";
  });
  const natives = new Map(perApplication.map((file) => [file.application, file]));
  return [...homes].map(([application, own]) => {
    const { name = `${application.replaceAll("/", ".")}.yaml`, text = "" } =
      natives.get(application) ?? {};
    return { name, application, text: textOf(own, commentsIn(text), head) };
  });
}
