/** `--flows FILE` of verbs over a folder: recorded flows of any format as edges, and on stderr what of it could not be read. */
import { mergeEdges } from "@bulkhead/learn";
import type { Edge } from "@bulkhead/model";
import type { SampleBook } from "@bulkhead/workbench/impact";
import type { Context } from "../context.ts";
import { readExport } from "../suggest/offline.ts";
import { count } from "../ui/words.ts";

interface Recorded {
  readonly edges: readonly Edge[];
  readonly samples: SampleBook;
  /** It could not be read to its end: no script may take its half for the whole. */
  readonly isBroken: boolean;
}

export async function readRecorded(
  context: Context,
  file: string,
  format: string | undefined,
): Promise<Recorded> {
  const { imported, ours, samples, isBroken } = await readExport(context, file, format);
  const { malformed } = imported;
  if (malformed.count > 0) {
    const { stderr, ui } = context;
    const lines = count(malformed.count, "line");
    const [first] = malformed.quoted;
    stderr.write(
      `${ui.style.yellow("warning:")} ${lines} of \`${file}\` could not be read, first ${first?.place === 0 ? "" : `line ${first?.place}: `}${first?.problem}\n`,
    );
  }
  return { edges: mergeEdges([...imported.edges, ...ours]), samples, isBroken };
}
