/** Does every revision follow from the one before it, and are the files that it names the ones that were given? */
import type { Kysely, Selectable } from "kysely";
import { GENESIS, hashText, revisionHash, type Revision } from "./revision.ts";
import { revisionOf } from "./rows.ts";
import type { StateTables } from "./schema.ts";
import type { ChainCheck } from "./state-store.ts";

export async function verifyChain(database: Kysely<StateTables>): Promise<ChainCheck> {
  const rows = await database.selectFrom("revisions").selectAll().orderBy("revision").execute();
  const files = await database.selectFrom("files").selectAll().execute();
  const known = new Set(
    files.filter((file) => hashText(file.text) === file.hash).map((file) => file.hash),
  );
  let previous = GENESIS;
  let expected = 1;
  for (const row of rows) {
    const revision = parsedRevision(row);
    const holds =
      revision !== null &&
      revision.revision === expected &&
      revision.prevHash === previous &&
      revisionHash(revision) === revision.hash &&
      revision.given.every((file) => known.has(file.hash)) &&
      revision.resources.every((resource) => known.has(resource.fileHash));
    if (!holds) return { intact: false, brokenAt: row.revision };
    previous = row.hash;
    expected += 1;
  }
  return { intact: true };
}

/** Null when somebody made the row unreadable. */
function parsedRevision(row: Selectable<StateTables["revisions"]>): Revision | null {
  try {
    return revisionOf(row);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
